// What a gateway has handed out to stock WireGuard clients, kept in one durable file.
#include "bonus/net/edge/invites.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "bonus/net/edge/client_config.hpp"
#include "bonus/net/tunnel/config.hpp"

namespace bonus::net::edge {

namespace json = boost::json;

namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = 2 << 20;
constexpr std::uint16_t kMtu = 1280;  // what every path of the overlay carries (net_record.md)
constexpr std::uint16_t kKeepaliveS = 25;
constexpr UnixSeconds kMaxLifetimeS = 100ull * 366 * 86400;

Result<> check_name(std::string_view name) {
  const bool plain =
      std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (name.empty() || name.size() > kMaxInviteName || !plain || name.front() == '-' || name.back() == '-')
    return fail(ErrorCode::kInvalid,
                "an invitation's name has 1 to 63 of a-z, 0-9 and hyphens, no hyphen at either end");
  return {};
}

Result<crypto::X25519Public> public_key_of(std::string_view text) {
  TRY_ASSIGN(const Hash32 raw, tunnel::parse_key(text));
  return crypto::X25519Public::from(raw);
}

std::uint32_t v4_of(const Ipv6& address) {
  const auto& b = address.bytes;
  return static_cast<std::uint32_t>(b[12]) << 24 | static_cast<std::uint32_t>(b[13]) << 16 |
         static_cast<std::uint32_t>(b[14]) << 8 | b[15];
}
Ipv6 from_v4(std::uint32_t address) {
  Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  for (std::size_t i = 0; i < 4; ++i) out.bytes[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
  return out;
}

/// The lowest address that is free. The first two (network, gateway) and the last one are nobody's.
Result<Ipv6> take_ipv4(const Prefix& pool, const std::vector<Invite>& invites) {
  if (!is_ipv4(pool.address) || pool.bits < 104 || pool.bits > 126)
    return fail(ErrorCode::kInvalid, "the pool of addresses for clients must be an IPv4 network from /8 to /30");
  std::set<std::uint32_t> used;
  for (const Invite& invite : invites)
    if (invite.ipv4) used.insert(v4_of(*invite.ipv4));
  const std::uint32_t network = v4_of(pool.address);
  const std::uint32_t last = network | static_cast<std::uint32_t>((1ull << (128 - pool.bits)) - 1);
  for (std::uint32_t address = network + 2; address < last; ++address)
    if (!used.contains(address)) return from_v4(address);
  return fail(ErrorCode::kExhausted, "all addresses for clients of the exit are taken: revoke one or widen the pool");
}

json::object to_json(const Invite& invite) {
  json::object out;
  out["name"] = invite.name;
  out["public_key"] = tunnel::format_key(invite.key);
  out["preshared_key"] = tunnel::format_key(invite.preshared_key);
  out["exit"] = invite.exit;
  if (invite.ipv4) out["ipv4"] = to_string(*invite.ipv4);
  out["created"] = invite.created;
  out["expires"] = invite.expires;
  out["delegation"] = to_hex(invite.delegation);
  return out;
}

Result<std::string_view> text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string())
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a text", key));
  return std::string_view(value->get_string());
}

Result<std::uint64_t> number_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value != nullptr && value->is_uint64()) return value->get_uint64();
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a number", key));
  return static_cast<std::uint64_t>(value->get_int64());
}

Result<Invite> from_json(const json::value& value, const Ed25519PublicKey& root) {
  if (!value.is_object()) return fail(ErrorCode::kInvalid, "an entry is not an object");
  const json::object& object = value.get_object();
  Invite out;
  out.name = TRY(text_of(object, "name"));
  if (auto ok = check_name(out.name); !ok) return fail(std::move(ok).error());
  TRY_ASSIGN(const auto public_key, text_of(object, "public_key"));
  TRY_ASSIGN(const auto preshared_key, text_of(object, "preshared_key"));
  out.key = TRY(public_key_of(public_key));
  out.preshared_key = TRY(tunnel::parse_key(preshared_key));
  const auto* exit = object.if_contains("exit");
  if (exit == nullptr || !exit->is_bool()) return fail(ErrorCode::kInvalid, "\"exit\" is not true or false");
  out.exit = exit->get_bool();
  if (object.contains("ipv4")) {
    TRY_ASSIGN(const auto ipv4, text_of(object, "ipv4"));
    out.ipv4 = TRY(parse_ip(ipv4));
    if (!is_ipv4(*out.ipv4)) return fail(ErrorCode::kInvalid, "\"ipv4\" is not an IPv4 address");
  }
  out.created = TRY(number_of(object, "created"));
  out.expires = TRY(number_of(object, "expires"));
  TRY_ASSIGN(const auto signed_text, text_of(object, "delegation"));
  out.delegation = TRY(from_hex(signed_text));
  TRY_ASSIGN(const ClientDelegation delegation, open_client(out.delegation, out.created));
  if (delegation.gateway != root) return fail(ErrorCode::kInvalid, "it was made with another root key");
  if (delegation.client != out.key || delegation.exit != out.exit)
    return fail(ErrorCode::kInvalid, "it differs from what was signed");
  return out;
}

Result<std::vector<Invite>> parse_file(BytesView content, const Ed25519PublicKey& root) {
  boost::system::error_code error;
  const json::value document = json::parse(as_text(content), error);
  if (error) return fail(ErrorCode::kCorrupt, error.message());
  const json::object* object = document.if_object();
  const json::value* version = object != nullptr ? object->if_contains("version") : nullptr;
  const json::value* list = object != nullptr ? object->if_contains("invites") : nullptr;
  if (version == nullptr || *version != kVersion || list == nullptr || !list->is_array())
    return fail(ErrorCode::kCorrupt, "not a list of invitations of version 1");
  if (list->get_array().size() > kMaxInvites) return fail(ErrorCode::kCorrupt, "too many invitations");
  std::vector<Invite> out;
  for (const json::value& value : list->get_array()) {
    auto invite = from_json(value, root);
    if (!invite)
      return fail(ErrorCode::kCorrupt, fmt::format("invitation {}: {}", out.size() + 1, invite.error().message));
    for (const Invite& other : out)
      if (other.name == invite->name || other.key == invite->key || (other.ipv4 && other.ipv4 == invite->ipv4))
        return fail(ErrorCode::kCorrupt, fmt::format("invitation {} is there twice", out.size() + 1));
    out.push_back(*std::move(invite));
  }
  std::ranges::sort(out, {}, &Invite::name);
  return out;
}

/// RFC 7748, section 5: as `wg genkey` writes it.
crypto::X25519Secret make_private_key() {
  crypto::X25519Secret out;
  out.bytes = crypto::random_secret().bytes;
  out.bytes[0] &= 248;
  out.bytes[31] = static_cast<std::uint8_t>((out.bytes[31] & 127) | 64);
  return out;
}

}  // namespace

Result<std::unique_ptr<InviteRegistry>> InviteRegistry::open(runtime::Disk& disk, std::string path,
                                                             const crypto::Ed25519KeyPair& root) {
  std::unique_ptr<InviteRegistry> out(new InviteRegistry(disk, path, root));
  if (!disk.exists(path)) return out;
  TRY_ASSIGN(const Bytes content, disk.read_file(path, kMaxFileBytes));
  auto invites = parse_file(content, root.public_key());
  if (!invites) return fail(std::move(invites).error().wrap(path));
  out->invites_ = *std::move(invites);
  return out;
}

Result<> InviteRegistry::store(std::vector<Invite> next) {
  json::object document;
  document["version"] = kVersion;
  json::array list;
  for (const Invite& invite : next) list.push_back(to_json(invite));
  document["invites"] = std::move(list);
  // Preshared keys are in it.
  if (auto done = disk_.write_file(path_, as_bytes(json::serialize(document) + "\n"), 0600); !done) return done;
  invites_ = std::move(next);
  return {};
}

Result<Invitation> InviteRegistry::invite(const InviteRequest& request, const std::optional<Prefix>& ipv4_pool,
                                          UnixSeconds now) {
  if (auto ok = check_name(request.name); !ok) return fail(std::move(ok).error());
  if (request.lifetime_s > kMaxLifetimeS) return fail(ErrorCode::kInvalid, "an invitation for more than 100 years");
  Invitation out;
  out.invite.name = request.name;
  if (request.key) {
    const auto shared = crypto::x25519(make_private_key(), *request.key);
    if (!shared) return fail(ErrorCode::kInvalid, "the public key is not a usable WireGuard key");
    out.invite.key = *request.key;
  } else {
    out.private_key = make_private_key();
    out.invite.key = crypto::x25519_public(*out.private_key);
  }
  out.invite.preshared_key = crypto::random_secret();
  out.invite.exit = request.exit;
  out.invite.created = now;
  out.invite.expires = request.lifetime_s == 0 ? 0 : now + request.lifetime_s;

  const std::lock_guard lock(mutex_);
  std::vector<Invite> next = invites_;
  std::erase_if(next, [now](const Invite& invite) { return !invite.live(now); });
  for (const Invite& other : next) {
    if (other.name == request.name)
      return fail(ErrorCode::kExists,
                  fmt::format("there is an invitation \"{}\" already: revoke it first", other.name));
    if (other.key == out.invite.key)
      return fail(ErrorCode::kExists, fmt::format("the key is that of the invitation \"{}\"", other.name));
  }
  if (next.size() >= kMaxInvites)
    return fail(ErrorCode::kExhausted, fmt::format("a gateway has at most {} invitations", kMaxInvites));
  if (request.exit && ipv4_pool) out.invite.ipv4 = TRY(take_ipv4(*ipv4_pool, next));
  ClientDelegation delegation;
  delegation.client = out.invite.key;
  delegation.exit = request.exit;
  delegation.not_before = now;
  delegation.expires = out.invite.expires == 0 ? UINT64_MAX : out.invite.expires;
  out.invite.delegation = sign_client(delegation, root_);
  next.insert(std::ranges::upper_bound(next, out.invite.name, {}, &Invite::name), out.invite);
  if (auto done = store(std::move(next)); !done) return fail(std::move(done).error());
  return out;
}

Result<> InviteRegistry::revoke(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::vector<Invite> next = invites_;
  if (std::erase_if(next, [&](const Invite& invite) { return invite.name == name; }) == 0)
    return fail(ErrorCode::kNotFound, "there is no such invitation");
  return store(std::move(next));
}

std::vector<Invite> InviteRegistry::list(UnixSeconds now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Invite> out;
  std::ranges::copy_if(invites_, std::back_inserter(out), [now](const Invite& invite) { return invite.live(now); });
  return out;
}

Result<Invite> InviteRegistry::find(const std::string& name, UnixSeconds now) const {
  const std::lock_guard lock(mutex_);
  for (const Invite& invite : invites_)
    if (invite.name == name && invite.live(now)) return invite;
  return fail(ErrorCode::kNotFound, "there is no such invitation");
}

std::optional<UnixSeconds> InviteRegistry::next_expiry(UnixSeconds now) const {
  const std::lock_guard lock(mutex_);
  std::optional<UnixSeconds> out;
  for (const Invite& invite : invites_)
    if (invite.expires > now) out = std::min(out.value_or(invite.expires), invite.expires);
  return out;
}

Ipv6 InviteRegistry::address_of(const Invite& invite) const { return client_address(root_.public_key(), invite.key); }

std::vector<Prefix> InviteRegistry::allowed_of(const Invite& invite) const {
  std::vector<Prefix> out{Prefix{address_of(invite), 128}};
  if (invite.ipv4) out.push_back(Prefix{*invite.ipv4, 128});
  return out;
}

Result<std::string> InviteRegistry::config_of(const Invite& invite,
                                              const std::optional<crypto::X25519Secret>& private_key,
                                              const GatewaySettings& gateway) const {
  ClientConfig config;
  config.comment = fmt::format("BonusNet, {}: encrypted as far as the gateway, which sees what passes", invite.name);
  config.private_key = private_key;
  for (const Prefix& prefix : allowed_of(invite)) config.addresses.push_back(prefix.address);
  config.dns = overlay_address(crypto::node_id(root_.public_key()));
  config.mtu = kMtu;
  config.gateway_key = gateway.tunnel_key;
  config.preshared_key = invite.preshared_key;
  config.endpoint = gateway.endpoint;
  if (invite.exit) {
    config.allowed = {*parse_prefix("::/0"), *parse_prefix("0.0.0.0/0")};
  } else {
    config.allowed = {*parse_prefix("fd00::/8")};
  }
  config.keepalive_s = kKeepaliveS;
  return format_client_config(config);
}

}  // namespace bonus::net::edge
