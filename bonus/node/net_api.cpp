// Routes below /v1/net: JSON of what the overlay knows, ping as lines.
#include "bonus/node/net_api.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sodium.h>

#include <boost/json.hpp>
#include <cstring>
#include <set>

#include "bonus/net/dns/labels.hpp"
#include "bonus/net/dns/name.hpp"
#include "bonus/node/auth.hpp"
#include "bonus/node/echo.hpp"
#include "bonus/node/version.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::node {

namespace json = boost::json;
namespace http = runtime::http;

namespace {

constexpr std::size_t kMaxBody = 4 << 10;
constexpr Duration kPathTimeout = std::chrono::seconds(10);
constexpr std::int64_t kMaxCount = 1000;

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

/// By the C library in the node's namespace: its resolv.conf names the node's own DNS server.
Result<net::Ipv6> resolve_name(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error == EAI_NONAME || error == EAI_NODATA)
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no address: nobody registered it, or its lease does not run", name));
  if (error != 0) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", name, ::gai_strerror(error)));
  sockaddr_in6 address{};
  std::memcpy(&address, found->ai_addr, std::min<std::size_t>(found->ai_addrlen, sizeof(address)));
  ::freeaddrinfo(found);
  net::Ipv6 out;
  std::ranges::copy(address.sin6_addr.s6_addr, out.bytes.begin());
  return out;
}

/// As tables show ids; fewer digits are soon those of several nodes.
bool is_short_id(std::string_view text) {
  constexpr std::size_t kLeast = 12, kMost = 63;
  return text.size() >= kLeast && text.size() <= kMost &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// A name of the Internet never leads into the overlay (the DNS server drops such answers), and is not asked for.
Result<> check_name(const std::string& name) {
  const auto parsed = net::dns::Name::parse(name);
  if (!parsed) return fail(ErrorCode::kInvalid, fmt::format("\"{}\": {}", name, parsed.error().message));
  if (std::ranges::any_of(name, [](char c) { return c >= 0 && c <= ' '; }))  // the C library would end at a zero
    return fail(ErrorCode::kInvalid, "a name has no blanks and no control characters");
  static const net::dns::Name kZone = *net::dns::Name::parse("bonus");
  if (!parsed->ends_with(kZone) || parsed->equals(kZone))
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is no name of the overlay: those end with .bonus", name));
  return {};
}

Result<json::object> parse_body(const Bytes& body) {
  boost::system::error_code error;
  auto document = json::parse(as_text(body), error);
  if (error || !document.is_object()) return fail(ErrorCode::kInvalid, "the body is a JSON object");
  return std::move(document.as_object());
}

Result<std::string> text_in(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string())
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is missing: a string", key));
  return std::string(value->as_string().data(), value->as_string().size());
}

Result<std::int64_t> number_in(const json::object& object, std::string_view key, std::int64_t fallback,
                               std::int64_t least, std::int64_t most) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return fallback;
  if (!value->is_int64() || value->as_int64() < least || value->as_int64() > most)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is a number from {} to {}", key, least, most));
  return value->as_int64();
}

runtime::Task<Result<>> send(http::Exchange& exchange, json::object out) {
  auto answer = http::respond_json(exchange, 200, json::serialize(out));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

}  // namespace

runtime::Task<Result<NetApi::Target>> NetApi::resolve(std::string text) {
  Target out;
  out.text = text;
  if (text.empty() || text.size() > 255)
    co_return fail(ErrorCode::kInvalid, "name a node id, an overlay address or a .bonus name");
  if (const auto id = fixed_from_hex<NodeId>(text); id && text.size() == 64) {
    out.address = net::overlay_address(*id);
    out.source = "node";
    co_return out;
  }
  if (const auto id = net::dns::parse_node_label(text)) {
    out.address = net::overlay_address(*id);
    out.source = "node";
    co_return out;
  }
  if (const auto address = net::parse_ip(text)) {
    if (!net::is_overlay(*address))
      co_return fail(ErrorCode::kInvalid, fmt::format("{} is not an overlay address: they begin with fd", text));
    out.address = *address;
    out.source = "address";
    co_return out;
  }
  const std::string name = text.contains('.') ? text : text + ".bonus";
  CO_TRY(check_name(name));
  std::function<Result<net::Ipv6>()> work = [name] { return resolve_name(name); };
  auto resolving = runtime::offload<net::Ipv6>(resolvers_, std::move(work));
  const auto found = co_await std::move(resolving);
  if (!found && found.error().code == ErrorCode::kNotFound && is_short_id(text)) {
    auto searching = find_short_id(text);
    CO_TRY_ASSIGN(const auto id, co_await std::move(searching));
    if (id) {
      out.address = net::overlay_address(*id);
      out.source = "node";
      co_return out;
    }
  }
  CO_TRY_ASSIGN(out.address, found);
  out.source = "name";
  co_return out;
}

runtime::Task<Result<std::optional<NodeId>>> NetApi::find_short_id(std::string digits) {
  auto asking = network_.overlay().peers();
  const auto peers = co_await std::move(asking);
  auto mapping = network_.overlay().map();
  const auto map = co_await std::move(mapping);
  std::set<NodeId> found;
  for (const auto* list : {&peers, &map.at("nodes").as_array()})
    for (const auto& entry : *list) {
      const std::string_view id(entry.at("id").as_string());
      if (const auto parsed = fixed_from_hex<NodeId>(id); parsed && id.starts_with(digits)) found.insert(*parsed);
    }
  if (found.size() > 1)
    co_return fail(ErrorCode::kConflict, fmt::format("{} nodes have an id that begins with {}", found.size(), digits));
  if (found.empty()) co_return std::nullopt;
  co_return *found.begin();
}

NetApi::Reply NetApi::handle(Exchange& exchange) {
  const auto& request = exchange.request();
  const std::string& where = request.path;
  const bool get = request.method == "GET" || request.method == "HEAD", post = request.method == "POST";
  if (where == "/v1/net/status" && get) co_return co_await status(exchange);
  if (where == "/v1/net/peers" && get) co_return co_await peers(exchange);
  if (where == "/v1/net/map" && get) co_return co_await map(exchange);
  if (where == "/v1/net/lookup" && get) co_return co_await lookup(exchange);
  if (where == "/v1/net/path" && get) co_return co_await path(exchange);
  if (where == "/v1/net/ping" && post) co_return co_await ping(exchange);
  if (where == "/v1/net/trace" && post) co_return co_await trace(exchange);
  constexpr std::string_view kInvites = "/v1/net/invites";
  if (where == kInvites && post) co_return co_await invite(exchange);
  if (where == kInvites && get) co_return co_await invites(exchange);
  if (where.starts_with("/v1/net/invites/") && request.method == "DELETE")
    co_return co_await revoke(exchange, where.substr(kInvites.size() + 1));
  co_return fail(ErrorCode::kNotFound, fmt::format("there is no {} {} in this API", request.method, where));
}

NetApi::Reply NetApi::status(Exchange& exchange) {
  auto asking = network_.overlay().status();
  auto out = co_await std::move(asking);
  const auto id = fixed_from_hex<NodeId>(std::string_view(out.at("id").as_string()));
  if (id) out["name"] = net::dns::node_name(*id);
  out["version"] = kVersion;
  for (auto& [name, value] : network_.counters()) out[name] = value;
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::peers(Exchange& exchange) {
  auto asking = network_.overlay().peers();
  auto list = co_await std::move(asking);
  for (auto& entry : list) {
    auto& one = entry.as_object();
    if (const auto id = fixed_from_hex<NodeId>(std::string_view(one.at("id").as_string())))
      one["name"] = net::dns::node_name(*id);
  }
  json::object out{{"peers", std::move(list)}};
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::map(Exchange& exchange) {
  auto asking = network_.overlay().map();
  auto out = co_await std::move(asking);
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::lookup(Exchange& exchange) {
  const auto& query = exchange.request().query;
  const auto name = query.find("name");
  if (name == query.end()) co_return fail(ErrorCode::kInvalid, "which one? /v1/net/lookup?name=<target>");
  const Instant begun = clock_.now();
  auto resolving = resolve(name->second);
  CO_TRY_ASSIGN(const auto target, co_await std::move(resolving));
  const Instant resolved = clock_.now();
  json::array steps{json::object{{"what", target.source == "name" ? "name" : "address"},
                                 {"detail", net::to_string(target.address)},
                                 {"took_ms", milliseconds(resolved - begun)}}};
  auto looking = network_.overlay().lookup(target.address);
  auto record = co_await std::move(looking);
  json::object out{
      {"name", target.text},
      {"address", net::to_string(target.address)},
      {"records",
       json::array{json::object{
           {"name", target.text}, {"type", "AAAA"}, {"ttl", nullptr}, {"value", net::to_string(target.address)}}}}};
  if (record) {
    steps.push_back(json::object{
        {"what", "node record"}, {"detail", record->at("id")}, {"took_ms", milliseconds(clock_.now() - resolved)}});
    out["id"] = record->at("id");
    out["source"] = target.source == "node" ? "node" : "dht";
    out["node"] = *std::move(record);
  } else {
    steps.push_back(json::object{{"what", "node record"},
                                 {"detail", record.error().message},
                                 {"took_ms", milliseconds(clock_.now() - resolved)}});
    out["id"] = nullptr;
    out["source"] = target.source;
  }
  out["steps"] = std::move(steps);
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::path(Exchange& exchange) {
  const auto& query = exchange.request().query;
  const auto name = query.find("target");
  if (name == query.end()) co_return fail(ErrorCode::kInvalid, "to whom? /v1/net/path?target=<target>");
  auto resolving = resolve(name->second);
  CO_TRY_ASSIGN(const auto target, co_await std::move(resolving));
  auto asking = network_.overlay().path(target.address, kPathTimeout);
  CO_TRY_ASSIGN(auto current, co_await std::move(asking));
  auto looking = network_.overlay().lookup(target.address);
  CO_TRY_ASSIGN(const auto record, co_await std::move(looking));
  json::array candidates;
  for (const auto& entry : record.at("endpoints").as_array()) {
    const auto& one = entry.as_object();
    const bool relayed = one.at("kind").as_string() == "relay";
    const bool active = current.if_contains("endpoint") != nullptr && current.at("endpoint") == one.at("endpoint");
    candidates.push_back(json::object{{"kind", relayed ? "relayed" : "direct"},
                                      {"endpoint", one.at("endpoint")},
                                      {"relay", nullptr},
                                      {"state", active ? "active" : "standby"},
                                      {"rtt_ms", active ? current.at("rtt_ms") : json::value(nullptr)},
                                      {"loss", active ? current.at("loss") : json::value(nullptr)},
                                      {"last_probe_s", nullptr}});
  }
  json::object out{{"target", target.text},
                   {"id", current.at("id")},
                   {"address", net::to_string(target.address)},
                   {"mtu", current.if_contains("mtu") != nullptr ? current.at("mtu") : json::value(nullptr)},
                   {"current", std::move(current)},
                   {"candidates", std::move(candidates)}};
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::trace(Exchange& exchange) {
  auto reading = exchange.read_all(kMaxBody);
  CO_TRY_ASSIGN(const auto body, co_await std::move(reading));
  CO_TRY_ASSIGN(const auto wanted, parse_body(body));
  CO_TRY_ASSIGN(auto text, text_in(wanted, "target"));
  auto resolving = resolve(std::move(text));
  CO_TRY_ASSIGN(const auto target, co_await std::move(resolving));
  auto asking = network_.overlay().path(target.address, kPathTimeout);
  CO_TRY_ASSIGN(const auto current, co_await std::move(asking));
  json::array hops;
  const auto field = [&current](std::string_view key) {
    const auto* value = current.if_contains(json::string_view(key.data(), key.size()));
    return value == nullptr ? json::value(nullptr) : *value;
  };
  const auto* kind = current.if_contains("kind");
  if (kind != nullptr && (kind->as_string() == "relayed" || kind->as_string() == "tls"))
    hops.push_back(json::object{
        {"hop", 1}, {"id", nullptr}, {"endpoint", field("endpoint")}, {"rtt_ms", nullptr}, {"kind", "relay"}});
  json::object last{{"hop", hops.size() + 1},
                    {"id", field("id")},
                    {"endpoint", hops.empty() ? field("endpoint") : json::value(nullptr)},
                    {"rtt_ms", nullptr},
                    {"kind", "target"}};
  auto opening = Echo::open(target.address);
  CO_TRY_ASSIGN(const auto echo, co_await std::move(opening));
  auto asked = echo->ask(1, std::chrono::seconds(3));
  if (const auto rtt = co_await std::move(asked)) last["rtt_ms"] = milliseconds(*rtt);
  hops.push_back(std::move(last));
  json::object out{{"target", target.text},
                   {"id", field("id")},
                   {"address", net::to_string(target.address)},
                   {"hops", std::move(hops)}};
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::ping(Exchange& exchange) {
  auto reading = exchange.read_all(kMaxBody);
  CO_TRY_ASSIGN(const auto body, co_await std::move(reading));
  CO_TRY_ASSIGN(const auto wanted, parse_body(body));
  CO_TRY_ASSIGN(auto text, text_in(wanted, "target"));
  CO_TRY_ASSIGN(const auto count, number_in(wanted, "count", 4, 1, kMaxCount));
  CO_TRY_ASSIGN(const auto interval, number_in(wanted, "interval_ms", 1000, 10, 60'000));
  CO_TRY_ASSIGN(const auto timeout, number_in(wanted, "timeout_ms", 3000, 10, 60'000));
  auto resolving = resolve(std::move(text));
  CO_TRY_ASSIGN(const auto target, co_await std::move(resolving));
  auto opening = Echo::open(target.address);
  CO_TRY_ASSIGN(const auto echo, co_await std::move(opening));
  http::Headers headers;
  headers.set("Content-Type", "application/x-ndjson");
  auto starting = exchange.start(200, std::move(headers));
  CO_TRY(co_await std::move(starting));
  auto finding = network_.overlay().find(target.address);
  const auto owner = co_await std::move(finding);
  json::object first{{"target", target.text},
                     {"id", owner ? json::value(to_hex(owner->id())) : json::value(nullptr)},
                     {"address", net::to_string(target.address)}};
  std::string line = json::serialize(first) + "\n";
  auto writing = exchange.write(as_bytes(line));
  if (!co_await std::move(writing)) co_return Result<>();  // the reader went away
  for (std::int64_t sequence = 1; sequence <= count; ++sequence) {
    auto asking = echo->ask(static_cast<std::uint16_t>(sequence), std::chrono::milliseconds(timeout));
    const auto rtt = co_await std::move(asking);
    json::object one{{"sequence", sequence}};
    if (rtt) {
      one["rtt_ms"] = milliseconds(*rtt);
      auto describing = network_.overlay().path(target.address, Duration::zero());
      if (const auto path = co_await std::move(describing)) {
        if (const auto* kind = path->if_contains("kind")) one["kind"] = *kind;
        if (const auto* endpoint = path->if_contains("endpoint")) one["endpoint"] = *endpoint;
      }
    } else {
      one["error"] = rtt.error().message;
    }
    line = json::serialize(one) + "\n";
    auto sending = exchange.write(as_bytes(line));
    if (!co_await std::move(sending)) co_return Result<>();
    if (sequence == count) break;
    auto pause = runtime::sleep_for(std::chrono::milliseconds(interval));
    CO_TRY(co_await std::move(pause));
  }
  auto finishing = exchange.finish();
  std::ignore = co_await std::move(finishing);
  co_return Result<>();
}

Result<> NetApi::check_signature(const http::Request& request) const {
  const std::string authorization = request.headers.get("Authorization").value_or("");
  TRY_ASSIGN(const auto signer, verify_authorization(authorization, request.method, request.path, clock_.unix_s()));
  if (!edges_.may_invite(signer))
    return fail(ErrorCode::kDenied, fmt::format("{} may not invite at this gateway: its operator lists accounts in "
                                                "net.invite_accounts",
                                                crypto::to_checksum(signer)));
  return {};
}

NetApi::Reply NetApi::invite(Exchange& exchange) {
  CO_TRY(check_signature(exchange.request()));
  auto reading = exchange.read_all(kMaxBody);
  CO_TRY_ASSIGN(const auto body, co_await std::move(reading));
  CO_TRY_ASSIGN(const auto wanted, parse_body(body));
  net::edge::InviteRequest request;
  CO_TRY_ASSIGN(request.name, text_in(wanted, "name"));
  if (const auto* exit = wanted.if_contains("exit")) request.exit = exit->is_bool() && exit->as_bool();
  if (const auto* key = wanted.if_contains("public_key"); key != nullptr && !key->is_null()) {
    CO_TRY_ASSIGN(const auto text, text_in(wanted, "public_key"));
    crypto::X25519Public parsed;
    std::size_t size = 0;
    if (sodium_base642bin(parsed.bytes.data(), parsed.bytes.size(), text.data(), text.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        size != parsed.bytes.size())
      co_return fail(ErrorCode::kInvalid, "\"public_key\" is a WireGuard key: 44 characters of base64");
    request.key = parsed;
  }
  auto inviting = edges_.invite(std::move(request));
  CO_TRY_ASSIGN(const auto done, co_await std::move(inviting));
  auto answer = http::respond_json(exchange, 201, json::serialize(done));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

NetApi::Reply NetApi::invites(Exchange& exchange) {
  CO_TRY(check_signature(exchange.request()));
  auto listing = edges_.list();
  json::object out{{"invites", co_await std::move(listing)}};
  co_return co_await send(exchange, std::move(out));
}

NetApi::Reply NetApi::revoke(Exchange& exchange, std::string name) {
  CO_TRY(check_signature(exchange.request()));
  CO_TRY(edges_.revoke(name));
  co_return co_await send(exchange, json::object());
}

}  // namespace bonus::node
