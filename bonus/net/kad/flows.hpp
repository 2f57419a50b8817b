// What keeps a home router standing: new UDP flows per second and flows alive at once are capped (design/net.md).
#pragma once

#include <vector>

#include "bonus/net/kad/types.hpp"

namespace bonus::net::kad {

class Flows {
 public:
  /// `prove`: addresses are remembered longer, to tell who could reach us only because we had sent there.
  Flows(const Settings& settings, bool prove) : settings_(settings), prove_(prove) {}
  /// Whether we may send a request there now; then it counts. Maintenance, which strangers can cause,
  /// leaves half of the burst and a quarter of what is alive to lookups.
  [[nodiscard]] bool allow(const UdpEndpoint& to, Instant now, bool maintenance);
  /// The earliest time at which a new flow could be allowed.
  [[nodiscard]] Instant next_token(Instant now) const;
  /// Whether we sent to this address lately (where private ones are allowed: to this endpoint): a packet from there
  /// proves nothing about being reachable.
  [[nodiscard]] bool knows(const UdpEndpoint& endpoint, Instant now) const;
  [[nodiscard]] std::size_t live(Instant now) const;
  void expire(Instant now);
  [[nodiscard]] std::size_t memory_bytes() const { return flows_.capacity() * sizeof(Flow); }

 private:
  struct Flow {
    std::uint32_t endpoint = 0, address = 0;  // hashes: a collision costs or saves one flow
    std::uint32_t at = 0;                     // milliseconds since the first
  };
  [[nodiscard]] std::uint32_t stamp(Instant now) const;
  [[nodiscard]] bool alive(const Flow& flow, std::uint32_t now) const;
  void refill(Instant now);
  [[nodiscard]] bool kept(const Flow& flow, std::uint32_t now) const;
  const Settings& settings_;
  bool prove_;
  std::vector<Flow> flows_;
  double tokens_ = -1;
  Instant start_{}, filled_{};
};

/// A token bucket for what strangers may cause.
class Bucket {
 public:
  Bucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
  [[nodiscard]] bool take(Instant now) {
    refill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  /// Half of the burst is gone.
  [[nodiscard]] bool scarce(Instant now) {
    refill(now);
    return tokens_ < burst_ / 2;
  }

 private:
  void refill(Instant now) {
    if (started_) tokens_ = std::min(burst_, tokens_ + rate_ * std::chrono::duration<double>(now - at_).count());
    started_ = true;
    at_ = now;
  }
  double rate_, burst_, tokens_;
  Instant at_{};
  bool started_ = false;
};

}  // namespace bonus::net::kad
