// Strong units: a quantity cannot be added to a quantity of another kind by accident.
#pragma once

#include <compare>
#include <cstdint>

#include "bonus/base/uint256.hpp"

namespace bonus {

template <class Rep, class Tag>
struct Unit {
  Rep value{};
  constexpr Unit() = default;
  constexpr explicit Unit(Rep v) : value(v) {}
  friend constexpr bool operator==(const Unit&, const Unit&) = default;
  friend constexpr auto operator<=>(const Unit&, const Unit&) = default;
  friend Unit operator+(Unit a, Unit b) { return Unit(a.value + b.value); }
  friend Unit operator-(Unit a, Unit b) { return Unit(a.value - b.value); }
  Unit& operator+=(Unit b) { return *this = *this + b; }
  Unit& operator-=(Unit b) { return *this = *this - b; }
};

using MilliCpu = Unit<std::uint32_t, struct MilliCpuTag>;       ///< Thousandths of one core.
using MebiBytes = Unit<std::uint64_t, struct MebiBytesTag>;     ///< 2^20 bytes.
inline const uint256 kWeiPerBnc{1'000'000'000'000'000'000ULL};  ///< BNC has 18 decimals.

}  // namespace bonus
