// Sums of multiples: interleaved sparse digits with shared doublings (Straus 1964, Moeller 2001). After a curve's
// endomorphism has split its scalars to a half or a quarter, tables and additions are all that is left, and for the
// counts that gas admits Pippenger's buckets would not save any.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "bonus/chain/precompiles/curve.hpp"

namespace bonus::chain::precompiles {

/// The odd multiples 1, 3, ..., 15 of a point whose order is above 15.
template <class F>
using MultiplesTable = std::array<Affine<F>, 8>;

/// Tables of many points with one inversion. None is infinity.
template <class F>
[[nodiscard]] std::vector<MultiplesTable<F>> tables_of(std::span<const Affine<F>> points) {
  std::vector<Jacobian<F>> multiples;
  multiples.reserve(points.size() * 8);
  for (const auto& point : points) {
    const auto odd = odd_multiples(Jacobian(point));
    multiples.insert(multiples.end(), odd.begin(), odd.end());
  }
  std::vector<MultiplesTable<F>> out(points.size());
  std::vector<Affine<F>> flat(multiples.size());
  to_affine<F>(multiples, flat);
  for (std::size_t i = 0; i < flat.size(); ++i) out[i / 8][i % 8] = flat[i];
  return out;
}

/// Collects scalar * point and sums them up. N words per scalar.
template <class F, std::size_t N>
class MultipleSum {
 public:
  void add(const MultiplesTable<F>& table, const Limbs<N>& scalar, bool negative) {
    terms_.push_back({table, SparseDigits<N>(scalar), negative});
    places_ = std::max(places_, terms_.back().digits.size());
  }
  [[nodiscard]] Jacobian<F> sum() const {
    Jacobian<F> out;
    for (std::size_t place = places_; place-- > 0;) {
      out = out.twice();
      for (const auto& term : terms_) {
        const int digit = term.digits[place];
        if (digit == 0) continue;
        const auto& multiple = term.table[static_cast<std::size_t>(digit < 0 ? -digit : digit) / 2];
        out = out.plus((digit < 0) != term.negative ? -multiple : multiple);
      }
    }
    return out;
  }

 private:
  struct Entry {
    MultiplesTable<F> table;
    SparseDigits<N> digits;
    bool negative;
  };
  std::vector<Entry> terms_;
  std::size_t places_ = 0;
};

}  // namespace bonus::chain::precompiles
