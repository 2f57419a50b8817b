// One run of the program: its options, the node and the wallet it works with, found when they are needed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bonus/cli/console.hpp"
#include "bonus/cli/environment.hpp"
#include "bonus/cli/market_client.hpp"
#include "bonus/cli/rpc_client.hpp"
#include "bonus/cli/wallet_store.hpp"

namespace bonus::cli {

struct CommonOptions {
  bool json = false;
  std::string node, wallet, password_file;
};

/// URLs of the node's services as its status tells them; empty when it does not serve one.
struct NodeUrls {
  std::string id, api, rpc, registry, gateway, chain_name;
};

class Session {
 public:
  Session(Console& console, Environment environment) : console_(console), environment_(std::move(environment)) {}

  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] const Environment& environment() const { return environment_; }
  CommonOptions& options() { return options_; }

  /// --node, BONUS_NODE, the context. kNotFound says how to name one. Without asking the node.
  [[nodiscard]] Result<std::string> node_url() const;
  /// Asks the node once.
  [[nodiscard]] Result<NodeUrls> urls();
  [[nodiscard]] Result<RpcClient*> rpc();
  [[nodiscard]] Result<MarketClient*> market();
  [[nodiscard]] Result<std::string> registry_url();
  /// "web" at the gateway of the node: "http://web.localhost:8080/"; empty without a gateway.
  [[nodiscard]] std::string url_of_name(std::string_view name);

  [[nodiscard]] Result<WalletStore> wallets() const;
  /// --wallet, BONUS_WALLET, the context, the only one there is.
  [[nodiscard]] Result<WalletInfo> wallet() const;
  /// Opens it once: --password-file, BONUS_PASSWORD_FILE, nothing for open wallets, else asks on the terminal.
  [[nodiscard]] Result<crypto::SecretKey256> key();
  [[nodiscard]] Result<std::string> password(std::string_view prompt, bool twice) const;

  /// Names that the user gave to orders; the node forgets them when an order ends.
  [[nodiscard]] std::optional<std::uint64_t> remembered_order(const std::string& name);
  void remember_order(const std::string& name, std::uint64_t order);

 private:
  [[nodiscard]] Result<std::string> names_file();

  Console& console_;
  Environment environment_;
  CommonOptions options_;
  std::optional<NodeUrls> urls_;
  std::unique_ptr<RpcClient> rpc_;
  std::unique_ptr<MarketClient> market_;
  std::optional<crypto::SecretKey256> key_;
};

/// An order, and one lease where the text named one.
struct Target {
  std::uint64_t order = 0;
  std::uint64_t lease = 0;
  std::string name;  ///< As the user wrote it.
};
/// A name of a route, "order-<id>", "lease-<id>" or a plain number (a lease). kNotFound says what there is.
[[nodiscard]] Result<Target> resolve(Session& session, const std::string& text);
/// Takes the names of an ended order back from the node, which would forget them by itself a little later.
void drop_routes(Session& session, std::uint64_t order);
/// The lease of the target that is running, else starting, else the newest. kNotFound when there is none.
[[nodiscard]] Result<chain::market::Lease> resolve_lease(Session& session, const std::string& text);

}  // namespace bonus::cli
