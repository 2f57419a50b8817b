// The window of counters already seen: RFC 6479's bitmap ring, 8192 counters wide (WireGuard whitepaper,
// section 5.4.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bonus::net::tunnel {

inline constexpr std::uint64_t kReplayWindow = 8192;

/// Not thread-safe: Session guards its own.
class ReplayWindow {
 public:
  /// True the first time a counter is seen inside the window or ahead of it. Only for authenticated packets.
  [[nodiscard]] bool accept(std::uint64_t counter) {
    if (counter >= next_) {
      advance(counter);
      next_ = counter + 1;
    } else if (next_ - counter > kReplayWindow) {
      return false;  // behind the window: cannot be told from a replay
    }
    std::uint64_t& word = words_[static_cast<std::size_t>((counter / 64) % kWords)];
    const std::uint64_t bit = std::uint64_t{1} << (counter % 64);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  /// One above the greatest accepted counter.
  [[nodiscard]] std::uint64_t next() const { return next_; }

 private:
  // One word more than the window: the word being entered is cleared as a whole while the oldest is still in use.
  static constexpr std::uint64_t kWords = kReplayWindow / 64 + 1;

  void advance(std::uint64_t counter) {
    // The word of next_ - 1 is in use already; before anything was seen all words are clear.
    if (next_ == 0) return;
    const std::uint64_t from = (next_ - 1) / 64, to = counter / 64;
    const std::uint64_t steps = to - from < kWords ? to - from : kWords;
    for (std::uint64_t i = 1; i <= steps; ++i) words_[static_cast<std::size_t>((from + i) % kWords)] = 0;
  }

  std::uint64_t next_ = 0;
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace bonus::net::tunnel
