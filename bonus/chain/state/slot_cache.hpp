// Contract storage in memory, by pages of eight consecutive slots: the fields of a Solidity struct lie side by side, so
// one lookup serves several loads.
#pragma once

#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/state/set_cache.hpp"

namespace bonus::chain::state {

struct SlotPage {
  static constexpr unsigned kSlots = 8;
  std::array<uint256, kSlots> values{};
  std::uint8_t known = 0;  ///< Bit i: values[i] is the value at the head.

  [[nodiscard]] static unsigned index(const SlotKey& key) { return static_cast<unsigned>(key.slot.limb[0] % kSlots); }
  /// The page's own key: the slot with its low bits cleared.
  [[nodiscard]] static SlotKey page_of(const SlotKey& key) {
    SlotKey out = key;
    out.slot.limb[0] -= out.slot.limb[0] % kSlots;
    return out;
  }
  [[nodiscard]] bool has(unsigned i) const { return (known >> i & 1u) != 0; }
  void set(unsigned i, const uint256& value) {
    values[i] = value;
    known = static_cast<std::uint8_t>(known | 1u << i);
  }
};

/// Thread-safe; constant memory, about 320 bytes for each page.
class SlotCache {
 public:
  /// Room for `slots` slots if half of each page is used.
  explicit SlotCache(std::size_t slots) : pages_(slots / (SlotPage::kSlots / 2)) {}
  [[nodiscard]] bool find_page(const SlotKey& page, SlotPage& out) const { return pages_.find(page, out); }
  /// One slot of a page; false when it is not here.
  [[nodiscard]] bool find_slot(const SlotKey& page, unsigned index, uint256& out) const {
    bool known = false;
    (void)pages_.look(page, [&](const SlotPage& found) {
      known = found.has(index);
      if (known) out = found.values[index];
    });
    return known;
  }
  void insert(const SlotKey& key, const uint256& value) {
    pages_.update(SlotPage::page_of(key), [&](SlotPage& page) { page.set(SlotPage::index(key), value); });
  }

 private:
  SetCache<SlotKey, SlotPage, CacheHasher> pages_;
};

/// The page that one execution used last, so that a run over neighbouring slots asks the cache twice: the first slot of
/// a page is fetched alone, as entries of a mapping have no neighbours. Not thread-safe.
class PageMemo {
 public:
  /// The value if the cache has it.
  [[nodiscard]] bool find(const SlotCache& cache, const SlotKey& key, uint256& out) {
    const unsigned i = SlotPage::index(key);
    if (!covers(key)) {
      const SlotKey page = SlotPage::page_of(key);
      if (page != key_) {
        key_ = page;
        valid_ = false;
        return cache.find_slot(page, i, out);
      }
      valid_ = cache.find_page(page, page_);
      if (!valid_) return false;
    }
    if (!page_.has(i)) return false;
    out = page_.values[i];
    return true;
  }
  void add(const SlotKey& key, const uint256& value) {
    if (covers(key)) page_.set(SlotPage::index(key), value);
  }

 private:
  [[nodiscard]] bool covers(const SlotKey& key) const {
    return valid_ && ((key.slot.limb[0] ^ key_.slot.limb[0]) < SlotPage::kSlots) &&
           key.slot.limb[1] == key_.slot.limb[1] && key.slot.limb[2] == key_.slot.limb[2] &&
           key.slot.limb[3] == key_.slot.limb[3] && key.contract == key_.contract;
  }

  bool valid_ = false;
  SlotKey key_;
  SlotPage page_;
};

}  // namespace bonus::chain::state
