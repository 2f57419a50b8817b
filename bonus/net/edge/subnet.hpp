// Networks behind routers: signed delegations, and which of them are believed (docs/formats/net_edge.md).
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::edge {

/// A router's word that it carries traffic for a network behind it.
struct SubnetDelegation {
  Ed25519PublicKey router;  ///< Root key.
  Prefix prefix;
  NodeId accepted_by;  ///< The one node this is meant for; zero: for anyone.
  UnixSeconds not_before = 0, expires = 0;
  Ed25519Signature signature;

  [[nodiscard]] NodeId node() const { return crypto::node_id(router); }
};
inline constexpr std::size_t kSubnetDelegationBytes = 1 + 32 + 16 + 1 + 32 + 8 + 8 + 64;

/// What may be announced at all: no bits below the length, not within fd00::/8 nor around it, no default route (that is
/// an exit's), no loopback, link-local or multicast. kInvalid says which.
[[nodiscard]] Result<> check_subnet(const Prefix& prefix);

/// Fills `router` and `signature`. kInvalid as check_subnet(), or when it would end before it begins.
[[nodiscard]] Result<Bytes> sign_subnet(SubnetDelegation& delegation, const crypto::Ed25519KeyPair& root);
/// kInvalid: not such a document; kDenied: wrong signature, or `now` is outside its time (five minutes of skew
/// allowed).
[[nodiscard]] Result<SubnetDelegation> open_subnet(BytesView encoded, UnixSeconds now);

/// One entry of the configuration's `accept`: networks at or within `prefix` are believed of `node`.
using AcceptRule = std::pair<NodeId, Prefix>;
/// "<node id>=192.168.2.0/24"; the id in 64 hexadecimal digits. kInvalid.
[[nodiscard]] Result<AcceptRule> parse_accept(std::string_view text);

/// What a router says it carries: of its record (`accepted_by` zero there) or of a delegation that was opened.
struct Announcement {
  NodeId node;
  Prefix prefix;
  NodeId accepted_by;
};
struct AcceptedRoute {
  Prefix prefix;
  NodeId node;
  friend bool operator==(const AcceptedRoute&, const AcceptedRoute&) = default;
};
inline constexpr std::size_t kMaxAcceptedRoutes = 1024;

/// The announcements that `rules` allow, each prefix once, in the order of the rules: when two routers announce
/// overlapping networks the one of the earlier rule has it and the other is left out. Never: what is meant for another
/// node than `self`, `self`'s own announcements, what overlaps one of `own` (our own networks), what check_subnet()
/// refuses.
[[nodiscard]] std::vector<AcceptedRoute> accepted_routes(const std::vector<AcceptRule>& rules,
                                                         const std::vector<Announcement>& announced, const NodeId& self,
                                                         const std::vector<Prefix>& own);

}  // namespace bonus::net::edge
