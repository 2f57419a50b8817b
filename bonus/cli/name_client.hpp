// Names as the command line needs them: views of the contract, and registrations on their way, kept on disk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bonus/chain/api/name_records.hpp"
#include "bonus/chain/api/names.hpp"
#include "bonus/cli/rpc_client.hpp"

namespace bonus::cli {

class NameClient {
 public:
  explicit NameClient(RpcClient& rpc) : rpc_(rpc) {}

  [[nodiscard]] Result<chain::names::NameInfo> find(const std::string& name);
  [[nodiscard]] Result<uint256> price(const std::string& name, std::uint64_t duration_s);
  [[nodiscard]] Result<chain::names::Rules> rules();
  /// 0: there is no such commitment.
  [[nodiscard]] Result<UnixSeconds> committed_at(const Hash32& commitment);
  /// Live and in grace, by name.
  [[nodiscard]] Result<std::vector<chain::names::NameInfo>> names_of(const Address& owner, std::size_t limit);
  /// Block time of the head.
  [[nodiscard]] Result<UnixSeconds> chain_time();
  /// Of block 0: what tells one chain from another.
  [[nodiscard]] Result<Hash32> genesis_hash();

 private:
  [[nodiscard]] Result<Bytes> view(BytesView data);
  RpcClient& rpc_;
};

/// A registration between its commitment and its end. Without the secret the commitment is worth nothing: it is durable
/// before anything is sent.
struct PendingName {
  std::string name;
  Address owner;
  std::uint64_t duration_s = 0;
  Hash32 secret;
  [[nodiscard]] Hash32 commitment() const { return chain::names::commitment(name, owner, duration_s, secret); }
};

/// One file for each name, owner and chain, mode 0600 in a folder of mode 0700. A damaged file is an error that names
/// it.
class PendingNames {
 public:
  PendingNames(std::string folder, const Hash32& genesis) : folder_(std::move(folder)), genesis_(genesis) {}
  [[nodiscard]] Result<std::optional<PendingName>> load(const std::string& name, const Address& owner) const;
  /// Durable on return.
  [[nodiscard]] Result<> save(const PendingName& pending) const;
  void remove(const PendingName& pending) const;

 private:
  [[nodiscard]] std::string path_of(const std::string& name, const Address& owner) const;
  std::string folder_;
  Hash32 genesis_;
};

/// "1y", "90d", "36h": a duration in whole seconds with years of 365 days. kInvalid.
[[nodiscard]] Result<std::uint64_t> parse_term(std::string_view text);
/// "1y", "1y30d", "90d", "5h".
[[nodiscard]] std::string term_text(std::uint64_t seconds);

}  // namespace bonus::cli
