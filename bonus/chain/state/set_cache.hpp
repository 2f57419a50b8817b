// A fixed-size set-associative cache: constant memory, no rehashing, safe for many readers that also fill it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace bonus::chain::state {

/// Key needs == and a Hasher that spreads over 64 bits. Each set has eight ways and its own spin lock, held for a
/// handful of instructions. Thread-safe. What was inserted may be gone at any time.
template <class Key, class Value, class Hasher>
class SetCache {
 public:
  /// At least `entries` entries, rounded up to a power of two.
  explicit SetCache(std::size_t entries)
      : sets_(std::bit_ceil(entries / kWays + 1)), mask_(sets_.size() - 1), slots_(sets_.size() * kWays) {}

  [[nodiscard]] bool find(const Key& key, Value& out) const {
    return look(key, [&](const Value& value) { out = value; });
  }
  /// Hands the value to `use` under the lock; false when the key is not here.
  template <class Use>
  [[nodiscard]] bool look(const Key& key, const Use& use) const {
    const std::uint64_t hash = Hasher{}(key);
    const std::size_t index = hash & mask_;
    const Set& set = sets_[index];
    const std::uint32_t tag = tag_of(hash);
    const Guard guard(set.lock);
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] != tag) continue;
      const Slot& slot = slots_[index * kWays + way];
      if (slot.key == key) {
        use(slot.value);
        return true;
      }
    }
    return false;
  }

  /// Inserts or replaces; a full set drops its ways in turn.
  void insert(const Key& key, const Value& value) {
    update(key, [&](Value& slot) { slot = value; });
  }
  /// Changes the value in place under the lock; a new one starts as Value{}.
  template <class Change>
  void update(const Key& key, const Change& change) {
    const std::uint64_t hash = Hasher{}(key);
    const std::size_t index = hash & mask_;
    Set& set = sets_[index];
    const std::uint32_t tag = tag_of(hash);
    const Guard guard(set.lock);
    std::size_t target = kWays;
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] == tag && slots_[index * kWays + way].key == key) {
        change(slots_[index * kWays + way].value);
        return;
      }
      if (set.tags[way] == 0 && target == kWays) target = way;
    }
    if (target == kWays) target = set.victim++ % kWays;
    set.tags[target] = tag;
    Slot& slot = slots_[index * kWays + target];
    slot = Slot{key, Value{}};
    change(slot.value);
  }

 private:
  static constexpr std::size_t kWays = 8;
  struct alignas(64) Set {
    mutable std::atomic_flag lock;
    std::array<std::uint32_t, kWays> tags{};  ///< 0: free.
    std::uint32_t victim = 0;
  };
  struct Slot {
    Key key{};
    Value value{};
  };
  class Guard {
   public:
    explicit Guard(std::atomic_flag& flag) : flag_(flag) {
      while (flag_.test_and_set(std::memory_order_acquire)) {
      }
    }
    ~Guard() { flag_.clear(std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::atomic_flag& flag_;
  };
  /// Never 0; taken from bits that the set index does not use.
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32) | 1u; }

  std::vector<Set> sets_;
  std::size_t mask_;
  std::vector<Slot> slots_;
};

}  // namespace bonus::chain::state
