// Networks behind routers: signed delegations, and which of them are believed.
#include "bonus/net/edge/subnet.hpp"

#include <fmt/format.h>

#include <array>

#include "bonus/net/edge/encoding.hpp"

namespace bonus::net::edge {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kDomain = "bonus/subnet/v1";
constexpr unsigned kMappedBits = 96;

bool overlap(const Prefix& a, const Prefix& b) {
  return a.bits <= b.bits ? a.contains(b.address) : b.contains(a.address);
}

Bytes body_of(const SubnetDelegation& delegation) {
  Bytes out{kVersion};
  append(out, delegation.router);
  append(out, delegation.prefix.address);
  out.push_back(delegation.prefix.bits);
  append(out, delegation.accepted_by);
  put_u64(out, delegation.not_before);
  put_u64(out, delegation.expires);
  return out;
}

bool has_host_bits(const Prefix& prefix) {
  for (unsigned bit = prefix.bits; bit < 128; ++bit)
    if ((prefix.address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  return false;
}

}  // namespace

Result<> check_subnet(const Prefix& prefix) {
  const auto bad = [](std::string why) { return fail(ErrorCode::kInvalid, "a network cannot be announced: " + why); };
  if (prefix.bits > 128 || has_host_bits(prefix)) return bad("bits are set below the length of its prefix");
  const std::string text = to_string(prefix);
  if (is_ipv4(prefix.address) && prefix.bits >= kMappedBits) {
    // RFC 6890; the private ranges are what this is for.
    static const std::array<Prefix, 5> never{*parse_prefix("0.0.0.0/8"), *parse_prefix("127.0.0.0/8"),
                                             *parse_prefix("169.254.0.0/16"), *parse_prefix("224.0.0.0/4"),
                                             *parse_prefix("240.0.0.0/4")};
    if (prefix.bits < kMappedBits + 8) return bad(text + " is larger than a /8");
    for (const Prefix& range : never)
      if (overlap(range, prefix)) return bad(text + " lies in " + to_string(range));
    return {};
  }
  static const Prefix global = *parse_prefix("2000::/3"), local = *parse_prefix("fc00::/8");
  if (prefix.bits < 16) return bad(text + " is larger than a /16");
  if (is_overlay(prefix.address)) return bad(text + " lies in fd00::/8, which is the overlay's");
  if (!global.contains(prefix.address) && !local.contains(prefix.address))
    return bad(text + " lies neither in 2000::/3 nor in fc00::/8");
  return {};
}

Result<Bytes> sign_subnet(SubnetDelegation& delegation, const crypto::Ed25519KeyPair& root) {
  if (auto ok = check_subnet(delegation.prefix); !ok) return fail(std::move(ok).error());
  if (delegation.expires <= delegation.not_before)
    return fail(ErrorCode::kInvalid, "a network's delegation would end before it begins");
  delegation.router = root.public_key();
  return sign_document(kDomain, body_of(delegation), root, delegation.signature);
}

Result<SubnetDelegation> open_subnet(BytesView encoded, UnixSeconds now) {
  if (encoded.size() != kSubnetDelegationBytes || encoded[0] != kVersion)
    return fail(ErrorCode::kInvalid, "not a network's delegation of a known version");
  FieldReader in(encoded.subspan(1));
  SubnetDelegation out;
  in.fixed(out.router);
  in.fixed(out.prefix.address);
  out.prefix.bits = in.u8();
  in.fixed(out.accepted_by);
  out.not_before = in.u64();
  out.expires = in.u64();
  if (auto ok = check_subnet(out.prefix); !ok) return fail(std::move(ok).error());
  if (!open_document(kDomain, encoded, out.router, out.signature))
    return fail(ErrorCode::kDenied, "the signature of a network's delegation is wrong");
  if (!is_current(out.not_before, out.expires, now))
    return fail(ErrorCode::kDenied, "a network's delegation is not valid at this time");
  return out;
}

Result<AcceptRule> parse_accept(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" must be written as <node id>=<network>", text.substr(0, 128)));
  auto node = fixed_from_hex<NodeId>(text.substr(0, equals));
  if (!node) return fail(std::move(node).error().wrap("the node id of an accepted network"));
  auto prefix = parse_prefix(text.substr(equals + 1));
  if (!prefix) return fail(std::move(prefix).error().wrap("an accepted network"));
  if (auto ok = check_subnet(*prefix); !ok) return fail(std::move(ok).error());
  return AcceptRule{*node, *prefix};
}

std::vector<AcceptedRoute> accepted_routes(const std::vector<AcceptRule>& rules,
                                           const std::vector<Announcement>& announced, const NodeId& self,
                                           const std::vector<Prefix>& own) {
  std::vector<AcceptedRoute> out;
  for (const AcceptRule& rule : rules) {
    for (const Announcement& announcement : announced) {
      const Prefix& prefix = announcement.prefix;
      if (announcement.node != rule.first || announcement.node == self) continue;
      if (!announcement.accepted_by.is_zero() && announcement.accepted_by != self) continue;
      if (!check_subnet(prefix) || prefix.bits < rule.second.bits || !rule.second.contains(prefix.address)) continue;
      if (std::ranges::any_of(own, [&](const Prefix& mine) { return overlap(mine, prefix); })) continue;
      // Two networks of one router may lie within each other; of two routers the earlier rule's has it.
      const bool taken = std::ranges::any_of(out, [&](const AcceptedRoute& route) {
        return route.prefix == prefix || (route.node != announcement.node && overlap(route.prefix, prefix));
      });
      if (taken) continue;
      if (out.size() >= kMaxAcceptedRoutes) return out;
      out.push_back({prefix, announcement.node});
    }
  }
  return out;
}

}  // namespace bonus::net::edge
