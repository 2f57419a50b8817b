// The real clock and the operating system's random generator (getrandom(2)).
#include "bonus/runtime/clock.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace bonus::runtime {
namespace {

class SystemClock final : public Clock {
 public:
  Instant now() const override {
    return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
  }
  UnixMillis unix_ms() const override {
    using std::chrono::milliseconds;
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t n = ::getrandom(out.data(), out.size(), 0);
      if (n < 0) {
        if (errno == EINTR) continue;
        std::abort();  // a system without randomness cannot run securely; the call does not fail on Linux >= 3.17
      }
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }
  std::uint64_t next_u64() override {
    // One system call per 64 numbers; per thread, so that no lock is needed.
    thread_local std::array<std::uint8_t, 512> pool;
    thread_local std::size_t used = pool.size();
    if (used == pool.size()) {
      fill(pool);
      used = 0;
    }
    std::uint64_t value = 0;
    std::memcpy(&value, pool.data() + used, sizeof value);
    used += sizeof value;
    return value;
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace bonus::runtime
