// Finding the node, the wallet and what a name means.
#include "bonus/cli/session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>

#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace market = chain::market;

constexpr std::size_t kMaxPasswordBytes = 4096;
constexpr std::size_t kMaxRememberedNames = 1000;

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

/// Reads a line from the terminal without showing it.
Result<std::string> ask_hidden(std::string_view prompt) {
  std::FILE* terminal = std::fopen("/dev/tty", "r+");
  if (terminal == nullptr)
    return fail(ErrorCode::kDenied,
                "a password is needed and there is no terminal to ask on; give --password-file or BONUS_PASSWORD_FILE");
  const int fd = fileno(terminal);
  termios before{};
  const bool hidden = tcgetattr(fd, &before) == 0;
  if (hidden) {
    termios silent = before;
    silent.c_lflag &= static_cast<tcflag_t>(~ECHO);
    tcsetattr(fd, TCSAFLUSH, &silent);
  }
  fmt::print(terminal, "{}: ", prompt);
  std::fflush(terminal);
  std::string line;
  for (int c = std::fgetc(terminal); c != EOF && c != '\n' && line.size() < kMaxPasswordBytes; c = std::fgetc(terminal))
    line += static_cast<char>(c);
  if (hidden) tcsetattr(fd, TCSAFLUSH, &before);
  std::fputc('\n', terminal);
  std::fclose(terminal);
  return line;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

}  // namespace

Result<std::string> Session::node_url() const {
  if (!options_.node.empty()) return parse_node_url(options_.node);
  if (auto variable = environment_.get("BONUS_NODE")) {
    auto url = parse_node_url(*variable);
    if (!url) return fail(std::move(url).error().wrap("BONUS_NODE"));
    return *url;
  }
  TRY_ASSIGN(const auto folder, environment_.config_dir());
  TRY_ASSIGN(const auto contexts, load_contexts(folder));
  if (const Context* context = contexts.selected(); context != nullptr) return parse_node_url(context->node);
  return fail(ErrorCode::kNotFound,
              "no node is known; start a local network (bonus devnet up) or name one: --node http://127.0.0.1:7070 or "
              "BONUS_NODE");
}

Result<NodeUrls> Session::urls() {
  if (urls_) return *urls_;
  TRY_ASSIGN(const auto base, node_url());
  ApiRequest request;
  request.url = base + "/v1/status";
  TRY_ASSIGN(const auto status, api_call(request));
  NodeUrls out;
  out.id = json_text(status, "id");
  out.api = base;
  out.rpc = json_text(status, "rpc");
  out.registry = json_text(status, "registry");
  out.gateway = json_text(status, "gateway");
  out.chain_name = json_text(json_member(status, "chain"), "name");
  for (std::string* url : {&out.rpc, &out.registry, &out.gateway})
    while (url->ends_with('/')) url->pop_back();
  urls_ = out;
  return out;
}

Result<RpcClient*> Session::rpc() {
  if (!rpc_) {
    TRY_ASSIGN(const auto all, urls());
    if (all.rpc.empty())
      return fail(ErrorCode::kUnsupported, fmt::format("the node at {} serves no JSON-RPC (rpc.listen)", all.api));
    rpc_ = std::make_unique<RpcClient>(all.rpc);
  }
  return rpc_.get();
}

Result<MarketClient*> Session::market() {
  if (!market_) {
    TRY_ASSIGN(RpcClient * client, rpc());
    market_ = std::make_unique<MarketClient>(*client);
  }
  return market_.get();
}

Result<std::string> Session::registry_url() {
  TRY_ASSIGN(const auto all, urls());
  if (all.registry.empty())
    return fail(ErrorCode::kUnsupported,
                fmt::format("the node at {} serves no registry; choose a gateway with --node", all.api));
  return all.registry;
}

std::string Session::url_of_name(std::string_view name) {
  const auto all = urls();
  if (!all || all->gateway.empty()) return {};
  const auto colon = all->gateway.rfind(':');
  if (colon == std::string::npos || colon < 7) return fmt::format("{}/l/{}/", all->gateway, name);
  return fmt::format("http://{}.localhost{}/", name, all->gateway.substr(colon));
}

Result<WalletStore> Session::wallets() const {
  TRY_ASSIGN(const auto folder, environment_.config_dir());
  TRY_ASSIGN(const auto contexts, load_contexts(folder));
  const Context* context = contexts.selected();
  if (context != nullptr && !context->wallets_dir.empty()) return WalletStore(context->wallets_dir);
  return WalletStore((fs::path(folder) / "wallets").string());
}

Result<WalletInfo> Session::wallet() const {
  TRY_ASSIGN(const auto store, wallets());
  if (!options_.wallet.empty()) return store.info(options_.wallet);
  if (auto variable = environment_.get("BONUS_WALLET")) return store.info(*variable);
  TRY_ASSIGN(const auto folder, environment_.config_dir());
  TRY_ASSIGN(const auto contexts, load_contexts(folder));
  if (const Context* context = contexts.selected(); context != nullptr && !context->wallet.empty())
    return store.info(context->wallet);
  TRY_ASSIGN(const auto all, store.list());
  if (all.size() == 1) return all.front();
  return fail(ErrorCode::kNotFound, all.empty()
                                        ? "there is no wallet yet; make one: bonus wallet new"
                                        : "there are several wallets; choose one with --wallet NAME or BONUS_WALLET");
}

Result<std::string> Session::password(std::string_view prompt, bool twice) const {
  std::string file = options_.password_file;
  if (file.empty()) file = environment_.get("BONUS_PASSWORD_FILE").value_or("");
  if (!file.empty()) {
    auto text = read_text(file, kMaxPasswordBytes);
    if (!text) return fail(std::move(text).error().wrap("the password file"));
    return first_line(std::move(*text));
  }
  TRY_ASSIGN(auto first, ask_hidden(prompt));
  if (twice) {
    TRY_ASSIGN(const auto second, ask_hidden("again"));
    if (first != second) return fail(ErrorCode::kInvalid, "the two passwords are not the same; nothing was changed");
  }
  return first;
}

Result<crypto::SecretKey256> Session::key() {
  if (key_) return *key_;
  TRY_ASSIGN(const auto info, wallet());
  TRY_ASSIGN(const auto store, wallets());
  std::string secret;
  if (!info.open) {
    TRY_ASSIGN(secret, password(fmt::format("password of the wallet \"{}\"", info.name), false));
  }
  TRY_ASSIGN(key_, store.unlock(info.name, secret));
  return *key_;
}

Result<std::string> Session::names_file() {
  TRY_ASSIGN(const auto store, wallets());
  return (fs::path(store.folder()).parent_path() / "names.json").string();
}

std::optional<std::uint64_t> Session::remembered_order(const std::string& name) {
  const auto file = names_file();
  const auto text = file ? read_text(*file) : fail(ErrorCode::kNotFound, "");
  if (!text) return std::nullopt;
  boost::system::error_code bad;
  const json::value root = json::parse(*text, bad);
  const std::uint64_t order = bad ? 0 : json_number(root, name);
  return order == 0 ? std::nullopt : std::optional(order);
}

void Session::remember_order(const std::string& name, std::uint64_t order) {
  const auto file = names_file();
  if (!file) return;
  json::object names;
  if (const auto text = read_text(*file)) {
    boost::system::error_code bad;
    json::value root = json::parse(*text, bad);
    if (!bad && root.is_object() && root.get_object().size() < kMaxRememberedNames)
      names = std::move(root.get_object());
  }
  names[name] = order;
  if (!make_private_folder(fs::path(*file).parent_path().string()) ||
      !write_text(*file, json::serialize(names) + "\n", 0600))
    console_.warn(fmt::format("the name \"{}\" could not be kept in {}", name, *file));
}

Result<Target> resolve(Session& session, const std::string& text) {
  Target out;
  out.name = text;
  const std::string_view view = text;
  std::optional<std::uint64_t> lease = number_of(view);
  if (view.starts_with("lease-")) lease = number_of(view.substr(6));
  if (lease) {
    TRY_ASSIGN(MarketClient * client, session.market());
    TRY_ASSIGN(const auto found, client->lease(*lease));
    out.lease = *lease;
    out.order = found.order_id;
    return out;
  }
  if (view.starts_with("order-")) {
    const auto order = number_of(view.substr(6));
    if (!order)
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not an order: write order-<number>", printable(view)));
    out.order = *order;
    return out;
  }
  if (!valid_name(view))
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is neither a name, a lease number nor order-<number>", printable(view)));
  TRY_ASSIGN(const auto all, session.urls());
  ApiRequest request;
  request.url = all.api + "/v1/routes";
  TRY_ASSIGN(const auto answer, api_call(request));
  std::vector<std::string> names;
  if (const auto* routes = json_member(answer, "routes").if_array(); routes != nullptr) {
    for (const auto& route : *routes) {
      const std::string name = json_text(route, "name");
      if (name == text) {
        out.order = json_number(route, "order");
        return out;
      }
      names.push_back(printable(name));
    }
  }
  if (const auto order = session.remembered_order(text)) {
    out.order = *order;
    return out;
  }
  return fail(ErrorCode::kNotFound,
              names.empty() ? fmt::format("nothing is called \"{}\"; see: bonus ps -a", text)
                            : fmt::format("nothing is called \"{}\"; there are: {}", text, fmt::join(names, ", ")));
}

void drop_routes(Session& session, std::uint64_t order) {
  const auto all = session.urls();
  const auto key = session.key();
  if (!all || !key) return;
  ApiRequest request;
  request.url = all->api + "/v1/routes";
  const auto answer = api_call(request);
  const auto* routes = answer ? json_member(*answer, "routes").if_array() : nullptr;
  if (routes == nullptr) return;
  for (const auto& route : *routes) {
    const std::string name = json_text(route, "name");
    if (json_number(route, "order") != order || !valid_name(name)) continue;
    request.method = "DELETE";
    request.url = all->api + "/v1/routes/" + name;
    request.key = *key;
    static_cast<void>(api_call(request));
  }
}

Result<market::Lease> resolve_lease(Session& session, const std::string& text) {
  TRY_ASSIGN(const auto target, resolve(session, text));
  TRY_ASSIGN(MarketClient * client, session.market());
  if (target.lease != 0) return client->lease(target.lease);
  TRY_ASSIGN(auto leases, client->leases_of(target.order));
  const auto rank = [](const market::Lease& lease) {
    const int by_state = lease.state == market::LeaseState::kRunning    ? 2
                         : lease.state == market::LeaseState::kStarting ? 1
                                                                        : 0;
    return std::pair(by_state, lease.id);
  };
  const auto best = std::ranges::max_element(leases, {}, rank);
  if (best == leases.end())
    return fail(ErrorCode::kNotFound, fmt::format("{} has no lease yet; see why with: bonus inspect {}", text, text));
  return *best;
}

}  // namespace bonus::cli
