// Time as values. Cores receive `now`; only runtime/ reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace bonus {

using Duration = std::chrono::nanoseconds;
struct Monotonic {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
/// A point on a clock that never goes back; meaningful only against other Instants of the same run.
using Instant = Monotonic::time_point;
using UnixSeconds = std::uint64_t;
using UnixMillis = std::int64_t;

}  // namespace bonus
