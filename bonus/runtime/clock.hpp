// The only sources of time and randomness. Production code receives them by reference and never asks the system itself.
#pragma once

#include <cstdint>
#include <span>

#include "bonus/base/time.hpp"

namespace bonus::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;         ///< Monotonic.
  [[nodiscard]] virtual UnixMillis unix_ms() const = 0;  ///< Wall clock; may jump.
  [[nodiscard]] UnixSeconds unix_s() const { return static_cast<UnixSeconds>(unix_ms() / 1000); }
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  [[nodiscard]] virtual std::uint64_t next_u64() = 0;
  /// Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t x = next_u64();
    while (x >= limit) x = next_u64();
    return x % bound;
  }
};

/// The real clock and the operating system's generator (asio/ is the real world). Thread-safe, live for the whole
/// program.
[[nodiscard]] Clock& system_clock();
[[nodiscard]] Random& system_random();

}  // namespace bonus::runtime
