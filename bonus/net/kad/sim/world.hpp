// A synthetic Internet: nodes in 16 metros with access delays, providers and prefixes; round-trip times follow from
// great-circle distance (model of design/net.md "Reference").
#pragma once

#include <cstdint>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad::sim {

/// One way at 200 km/ms in glass, 1.7 times as long as the great circle; both access delays (log-normal around 4 ms, at
/// most 120); 4 ms, within the Chinese metros 12 ms, between providers; +-15% that belong to the pair.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}
  /// A node at a random place in a prefix of its own choice among `prefixes`. Returns its number.
  std::size_t add(std::size_t prefixes);
  /// One in a data centre (access 0.3 ms), in the given /24 of the attacker's space.
  std::size_t add_attacker(std::uint32_t prefix);
  [[nodiscard]] Duration rtt(std::size_t a, std::size_t b) const;
  [[nodiscard]] double rtt_ms(std::size_t a, std::size_t b) const;
  [[nodiscard]] const UdpEndpoint& endpoint(std::size_t node) const { return places_[node].endpoint; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }

 private:
  struct Place {
    float x = 0, y = 0, z = 0;  // on the unit sphere
    float access_ms = 0;
    std::uint16_t metro = 0, provider = 0;
    UdpEndpoint endpoint;
  };
  void put(Place& place);
  runtime::sim::SeededRandom random_;
  std::vector<Place> places_;
  std::vector<std::uint8_t> hosts_;  // used in each prefix
  std::vector<std::uint8_t> attacker_hosts_;
};

}  // namespace bonus::net::kad::sim
