// `bonus name reverse`: the name that an overlay address answers with, by the consent of the node's key.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/chain/api/host.hpp"
#include "bonus/cli/name_commands.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace names = chain::names;

constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr std::size_t kMaxKeyFileBytes = 4'096;
constexpr std::size_t kMaxContainerId = 16;
constexpr std::uint64_t kConsentSeconds = 3'600;

/// The node's Ed25519 seed: 64 hexadecimal digits, as bonusd keeps it (node.key_file).
Result<crypto::Ed25519KeyPair> read_node_key(const std::string& path) {
  TRY_ASSIGN(std::string text, read_text(path, kMaxKeyFileBytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  const auto seed = fixed_from_hex<crypto::Ed25519Seed>(text);
  if (!seed) return fail(ErrorCode::kInvalid, fmt::format("{} is not a node key: 64 hexadecimal digits", path));
  return crypto::Ed25519KeyPair::from_seed(*seed);
}

}  // namespace

Result<int> set_reverse(Session& session, const ReverseOptions& options) {
  TRY_ASSIGN(const auto name, names::parse_name(options.name));
  if (options.container.size() > kMaxContainerId)
    return fail(ErrorCode::kInvalid, "a container's id has at most 16 characters, such as lease-42");
  TRY_ASSIGN(const auto pair, read_node_key(options.key_file));
  const BytesView container = as_bytes(options.container);
  const net::Ipv6 address = container.empty() ? net::overlay_address(crypto::node_id(pair.public_key()))
                                              : net::container_address(pair.public_key(), container);
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TxCall call;
  call.to = chain::kNamesAddress;
  if (options.clear) {
    call.data = names::encode::clear_reverse(address);
  } else {
    NameClient client(*rpc);
    TRY_ASSIGN(const auto info, client.find(name));
    if (info.state != names::NameState::kLive)
      return fail(ErrorCode::kNotFound,
                  fmt::format("{}.bonus is {}; see: bonus name show {}", name, names::to_string(info.state), name));
    TRY_ASSIGN(const auto now, client.chain_time());
    TRY_ASSIGN(const auto chain_id, rpc->chain_id());
    const UnixSeconds deadline = now + kConsentSeconds;
    const auto signature = pair.sign(names::reverse_digest(chain_id, info.owner, name, container, deadline));
    call.data = names::encode::set_reverse(name, pair.public_key(), container, deadline, signature);
  }
  TRY_ASSIGN(const auto key, session.key());
  Console& console = session.console();
  console.progress("writing the reverse name ...");
  TRY_ASSIGN(const auto receipt, rpc->execute(key, call, kTimeout));
  console.end_progress();
  if (console.json()) {
    console.print(pretty(json::object{{"address", net::to_string(address)},
                                      {"name", options.clear ? json::value() : json::value(name + ".bonus")},
                                      {"hash", to_hex0x(receipt.hash)},
                                      {"block", receipt.block}}));
  } else if (options.clear) {
    console.print(fmt::format("{} answers with no registered name any more", net::to_string(address)));
  } else {
    console.print(
        fmt::format("{} answers with {}.bonus, as soon as {}.bonus leads there", net::to_string(address), name, name));
  }
  return kExitOk;
}

}  // namespace bonus::cli
