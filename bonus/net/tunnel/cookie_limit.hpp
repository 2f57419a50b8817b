// How many cookie replies leave: a reply costs the host ten times what the refused message did, so that a flood of
// messages must not become one of replies (docs/formats/net_tunnel.md, "What a stranger can cost").
#pragma once

#include "bonus/net/record/sealed.hpp"

namespace bonus::net::tunnel {

/// Every underlay prefix (/24, /56) has tokens of its own, which nobody else can use up; what these leave of a rate for
/// all goes to whoever asks beyond them. So a flood through many prefixes keeps out nobody of another prefix, and one
/// through few is answered up to the whole rate, its honest neighbours with it. Not thread-safe.
class CookieLimit {
 public:
  CookieLimit(double per_prefix, double burst_per_prefix, double in_all);
  /// Takes a token; false: no reply.
  [[nodiscard]] bool allow(const Ipv6& from, Instant now);

 private:
  PrefixLimiter own_;
  double rate_, burst_;  // a quarter of a second
  double left_;          // below zero: prefixes used more of their own than the rate for all
  std::optional<Instant> at_;
};

}  // namespace bonus::net::tunnel
