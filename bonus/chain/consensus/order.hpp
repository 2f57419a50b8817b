// Quorum sizes and the order in which bookkeepers propose (design chain.md, "BonusBFT", Order).
#pragma once

#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::chain::consensus {

struct Quorum {
  std::size_t n = 0;
  std::size_t f = 0;          ///< ceil(n/3) - 1
  std::size_t size = 0;       ///< floor(2n/3) + 1
  std::size_t proposers = 0;  ///< k = min(3, n)
  [[nodiscard]] static Quorum of(std::size_t n);
};

/// rank(h, r, p) of every validator; rank 0 is the primary. Vw = n - rank.
class Order {
 public:
  /// `seed` must be the same at all validators; to give each one turn per cycle, it is that of the cycle's first
  /// height.
  Order(std::size_t n, std::uint64_t height, const Hash32& seed);
  [[nodiscard]] std::size_t rank(std::uint32_t round, std::size_t validator) const;
  [[nodiscard]] std::size_t primary(std::uint32_t round) const;

 private:
  std::size_t n_;
  std::uint64_t offset_;               // h - start_c
  std::vector<std::size_t> position_;  // pos(p)
  std::vector<std::size_t> at_;        // its inverse
};

}  // namespace bonus::chain::consensus
