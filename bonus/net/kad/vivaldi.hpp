// Vivaldi network coordinates: two dimensions and a height (Dabek, Cox, Kaashoek, Morris 2004, sections 3 and 5.4).
#pragma once

#include <cstdint>

#include "bonus/net/kad/types.hpp"

namespace bonus::net::kad {

/// Milliseconds predicted between two coordinates.
[[nodiscard]] double predict_ms(const Coordinate& a, const Coordinate& b);
/// Moves `self` by one measurement towards or away from `other`. `angle` in [0, 1) gives a direction where both are in
/// one place. Measurements outside (0, 10 s) and coordinates that are not finite are ignored.
void observe(Coordinate& self, const Coordinate& other, double rtt_ms, double angle);

/// As it travels: quarter milliseconds (x, y, height) and 1/1000 (error); beyond the range it is clamped.
struct PackedCoordinate {
  std::int16_t x = 0, y = 0;
  std::uint16_t height = 4, error = 1000;
  friend bool operator==(const PackedCoordinate&, const PackedCoordinate&) = default;
};
[[nodiscard]] PackedCoordinate pack(const Coordinate& coordinate);
[[nodiscard]] Coordinate unpack(const PackedCoordinate& packed);

}  // namespace bonus::net::kad
