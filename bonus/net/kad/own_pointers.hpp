// The address pointers that this node publishes, and which of them is due: one after the other, in the order of their
// places, so that neighbours are stored on nodes that were just spoken to. No network, no randomness.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bonus/net/kad/messages.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::kad {

class OwnPointers {
 public:
  struct One {
    Hash32 key;                         ///< Before epochs.
    Hash32 place;                       ///< In the newest epoch.
    std::shared_ptr<const Bytes> data;  // shared with the lookups that store it
    Instant due;                        // while `early` is left
    unsigned early = 2;                 // quick publications: our table is small at first, and datagrams are lost
  };
  using Place = std::function<Hash32(const Hash32& key)>;

  /// `period`: every pointer is published again in this time, or as soon as the pace allows.
  explicit OwnPointers(Duration period) : period_(period) {}
  /// Replaces all; those that stay keep their turn. kInvalid: an id. kExhausted: more than kMaxPointers.
  Result<> set(const Ed25519PublicKey& root, std::span<const Bytes> ids, const Place& place, Instant now);
  /// Positions have moved: all are published anew.
  void moved(const Place& place, Instant now);
  /// The next one, if it is its turn. Valid until the next change.
  [[nodiscard]] const One* take(Instant now);
  /// Nothing is taken before that.
  void pause(Instant until) { ready_ = std::max(ready_, until); }
  [[nodiscard]] std::optional<Instant> next() const;
  [[nodiscard]] const One* find(const Hash32& key) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

  /// At most one a second when they are new; later one in this time, so that a thousand go round in an hour.
  static constexpr Duration kGap = std::chrono::seconds(1), kPace = std::chrono::milliseconds(3500);
  static constexpr Duration kAgain = std::chrono::minutes(2);

 private:
  [[nodiscard]] Duration interval() const;
  Duration period_;
  std::vector<One> all_;  // ascending place
  Instant ready_{}, round_{};
  Hash32 last_;  // place of the one that the round published last
};

}  // namespace bonus::net::kad
