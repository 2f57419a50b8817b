// Fuzz target: algebraic laws of uint256 on arbitrary operands, and its text.
#include <cstdlib>

#include "bonus/base/uint256.hpp"

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using bonus::uint256;
  const bonus::BytesView in(data, size);
  const auto take = [&](std::size_t index) {
    const std::size_t at = std::min(size, index * 32);
    return uint256::from_be(in.subspan(at, std::min<std::size_t>(32, size - at)));
  };
  const uint256 a = take(0);
  const uint256 b = take(1);
  const uint256 m = take(2);
  const bonus::DivMod parts = div_mod(a, b);
  if (!b.is_zero()) {
    require(parts.quotient * b + parts.remainder == a);
    require(parts.remainder < b);
  }
  require(a + b - b == a);
  if (!m.is_zero()) {
    require(add_mod(a, b, m) == add_mod(a % m, b % m, m));
    require(mul_mod(a, b, m) == mul_mod(a % m, b % m, m));
    // a * b == q * m + r modulo 2^256.
    require(mul_div(a, b, m) * m + mul_mod(a, b, m) == a * b);
  }
  require(sdiv(a, b) * b + smod(a, b) == (b.is_zero() ? uint256() : a));
  require(uint256::parse(a.to_decimal()).value() == a);
  require(uint256::parse(a.to_quantity()).value() == a);
  const auto parsed = uint256::parse(bonus::as_text(in));
  if (parsed) require(uint256::parse(parsed->to_decimal()).value() == *parsed);
  return 0;
}
