// A list whose items never move, and an open-addressing table from keys to places in such a list.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

namespace bonus::chain::state {

/// Not thread-safe. Grows by chunks; references stay valid for its life.
template <class T>
class StableList {
 public:
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] T& operator[](std::uint32_t place) { return chunks_[place >> kShift][place & kMask]; }
  [[nodiscard]] const T& operator[](std::uint32_t place) const { return chunks_[place >> kShift][place & kMask]; }
  T& append() {
    if ((size_ & kMask) == 0) chunks_.push_back(std::make_unique<T[]>(kMask + 1));
    return (*this)[size_++];
  }
  void clear() {
    chunks_.clear();
    size_ = 0;
  }
  template <class Use>
  void for_each(const Use& use) const {
    for (std::uint32_t i = 0; i < size_; ++i) use((*this)[i]);
  }

 private:
  static constexpr std::uint32_t kShift = 5;
  static constexpr std::uint32_t kMask = (1U << kShift) - 1;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::uint32_t size_ = 0;
};

/// Not thread-safe. Linear probing below half load; hash tags avoid most comparisons of keys. Nothing is ever erased.
class FlatIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// `same(place)` compares the key at `place` with the one looked for.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, const Same& same) const {
    if (cells_.empty()) return kNone;
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Cell& cell = cells_[i];
      if (cell.place == kNone) return kNone;
      if (cell.tag == tag && same(cell.place)) return cell.place;
    }
  }
  /// The key must not be in the table. `hash_of(place)` hashes the key at `place`, for growth.
  template <class HashOf>
  void insert(std::uint64_t hash, std::uint32_t place, const HashOf& hash_of) {
    if (2 * (used_ + 1) > cells_.size()) grow(hash_of);
    put(hash, place);
    ++used_;
  }
  void clear() {
    if (used_ == 0) return;
    cells_.clear();
    mask_ = 0;
    used_ = 0;
  }

 private:
  struct Cell {
    std::uint32_t place = kNone;
    std::uint32_t tag = 0;
  };
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  void put(std::uint64_t hash, std::uint32_t place) {
    std::size_t i = hash & mask_;
    while (cells_[i].place != kNone) i = (i + 1) & mask_;
    cells_[i] = {place, tag_of(hash)};
  }
  template <class HashOf>
  void grow(const HashOf& hash_of) {
    const std::vector<Cell> old = std::move(cells_);
    cells_.assign(std::max<std::size_t>(64, old.size() * 2), Cell{});
    mask_ = cells_.size() - 1;
    for (const Cell& cell : old)
      if (cell.place != kNone) put(hash_of(cell.place), cell.place);
  }

  std::vector<Cell> cells_;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;
};

}  // namespace bonus::chain::state
