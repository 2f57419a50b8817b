// Cycle permutation by Fisher-Yates over a keccak stream; ranks within it.
#include "bonus/chain/consensus/order.hpp"

#include <numeric>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::consensus {
namespace {

// 64-bit numbers out of keccak(state || counter), without modulo bias.
class Stream {
 public:
  explicit Stream(const Hash32& key) : key_(key) {}
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t x = next();
    while (x >= limit) x = next();
    return x % bound;
  }

 private:
  std::uint64_t next() {
    if (used_ == 4) {
      std::array<std::uint8_t, 8> count{};
      for (std::size_t i = 0; i < 8; ++i) count[i] = static_cast<std::uint8_t>(counter_ >> (56 - 8 * i));
      ++counter_;
      block_ = crypto::keccak256(key_.view(), count);
      used_ = 0;
    }
    std::uint64_t x = 0;
    for (std::size_t i = 0; i < 8; ++i) x = (x << 8) | block_.bytes[8 * used_ + i];
    ++used_;
    return x;
  }
  Hash32 key_, block_;
  std::uint64_t counter_ = 0;
  std::size_t used_ = 4;
};

}  // namespace

Quorum Quorum::of(std::size_t n) {
  Quorum q;
  q.n = n;
  q.f = n == 0 ? 0 : (n + 2) / 3 - 1;
  q.size = 2 * n / 3 + 1;
  q.proposers = std::min<std::size_t>(3, n);
  return q;
}

Order::Order(std::size_t n, std::uint64_t height, const Hash32& seed) : n_(n), offset_(0), position_(n), at_(n) {
  if (n == 0) return;
  const std::uint64_t cycle = height / n;
  offset_ = height - cycle * n;
  Bytes input(seed.bytes.begin(), seed.bytes.end());
  append(input, as_bytes("order"));
  for (int shift = 56; shift >= 0; shift -= 8) input.push_back(static_cast<std::uint8_t>(cycle >> shift));
  Stream stream(crypto::keccak256(input));
  std::iota(at_.begin(), at_.end(), std::size_t{0});
  for (std::size_t i = n - 1; i > 0; --i) std::swap(at_[i], at_[static_cast<std::size_t>(stream.below(i + 1))]);
  for (std::size_t i = 0; i < n; ++i) position_[at_[i]] = i;
}

std::size_t Order::rank(std::uint32_t round, std::size_t validator) const {
  const std::size_t turn = static_cast<std::size_t>((offset_ + round) % n_);
  return (position_[validator] + n_ - turn) % n_;
}

std::size_t Order::primary(std::uint32_t round) const { return at_[static_cast<std::size_t>((offset_ + round) % n_)]; }

}  // namespace bonus::chain::consensus
