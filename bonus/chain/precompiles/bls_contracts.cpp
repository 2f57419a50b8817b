// Precompiles 0x0b to 0x11: BLS12-381 operations with the encodings, checks and prices of EIP-2537.
#include "bonus/chain/precompiles/bls12_381.hpp"
#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace {

using bls::Fp;
using bls::Fp2;
using bls::G1;
using bls::G2;

constexpr std::size_t kFpSize = 64;  // 16 zeros, then 48 bytes big-endian.
constexpr std::size_t kG1Size = 2 * kFpSize;
constexpr std::size_t kG2Size = 4 * kFpSize;
constexpr std::size_t kScalarSize = 32;

// Thousandths of the price of that many single multiplications, for 1, 2, ..., 128 or more points.
using Discounts = std::array<std::uint16_t, 128>;
constexpr Discounts kG1Discounts{
    1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665, 661, 658, 654,
    651,  648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615, 613, 611, 609, 608, 606, 604,
    603,  601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585, 584, 582, 581, 580, 579, 577, 576, 575, 574,
    573,  572, 570, 569, 568, 567, 566, 565, 564, 563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551,
    550,  549, 548, 547, 547, 546, 545, 544, 543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532,
    532,  531, 530, 529, 528, 528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519};
constexpr Discounts kG2Discounts{
    1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699, 693, 688, 683,
    679,  674,  670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629, 627, 624, 622, 620, 618, 615,
    613,  611,  609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592, 590, 589, 587, 586, 584, 583, 582, 580, 579,
    578,  576,  575, 574, 573, 571, 570, 569, 568, 567, 566, 565, 563, 562, 561, 560, 559, 558, 557, 556, 555, 554,
    553,  552,  552, 551, 550, 549, 548, 547, 546, 545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536,
    535,  535,  534, 533, 532, 532, 531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524};

std::uint64_t msm_price(std::size_t count, std::uint64_t single, const Discounts& discounts) {
  if (count == 0) return 0;
  return count * single * discounts[std::min(count, discounts.size()) - 1] / 1000;
}

std::optional<Fp> read(BytesView in, const Fp*) {
  if (std::ranges::any_of(in.first(16), [](std::uint8_t b) { return b != 0; })) return std::nullopt;
  return Fp::from_be(in.subspan(16, 48));
}
std::optional<Fp2> read(BytesView in, const Fp2*) {
  const auto c0 = read(in.first(kFpSize), static_cast<const Fp*>(nullptr));
  const auto c1 = read(in.subspan(kFpSize, kFpSize), static_cast<const Fp*>(nullptr));
  if (!c0 || !c1) return std::nullopt;
  return Fp2{*c0, *c1};
}
constexpr std::size_t size_of(const Fp*) { return kFpSize; }
constexpr std::size_t size_of(const Fp2*) { return 2 * kFpSize; }
constexpr const Fp& curve_b(const Fp*) { return bls::kB; }
constexpr const Fp2& curve_b(const Fp2*) { return bls::kTwistB; }

/// A point of the curve over F, not necessarily of the subgroup; all zeros is infinity.
template <class F>
std::optional<Affine<F>> read_point(BytesView in) {
  constexpr const F* kKind = nullptr;
  const auto x = read(in.first(size_of(kKind)), kKind);
  const auto y = read(in.subspan(size_of(kKind), size_of(kKind)), kKind);
  if (!x || !y) return std::nullopt;
  if (x->is_zero() && y->is_zero()) return Affine<F>{};
  const Affine<F> out{*x, *y, false};
  if (!out.on_curve(curve_b(kKind))) return std::nullopt;
  return out;
}

void write(const Fp& value, Bytes& output) {
  output.resize(output.size() + 16);
  value.append_be(output);
}
void write(const Fp2& value, Bytes& output) {
  write(value.c0, output);
  write(value.c1, output);
}
template <class F>
bool write_point(const Jacobian<F>& point, Bytes& output) {
  const Affine<F> p = point.affine();
  if (p.infinity) {
    output.resize(2 * size_of(static_cast<const F*>(nullptr)));
    return true;
  }
  write(p.x, output);
  write(p.y, output);
  return true;
}

template <class F>
bool add_points(BytesView input, Bytes& output) {
  constexpr std::size_t kSize = 2 * size_of(static_cast<const F*>(nullptr));
  if (input.size() != 2 * kSize) return false;
  const auto a = read_point<F>(input.first(kSize));
  const auto b = read_point<F>(input.last(kSize));
  if (!a || !b) return false;
  return write_point(Jacobian<F>(*a).plus(*b), output);
}

template <class F>
bool multiply_points(BytesView input, Bytes& output) {
  constexpr std::size_t kSize = 2 * size_of(static_cast<const F*>(nullptr));
  constexpr std::size_t kItem = kSize + kScalarSize;
  if (input.empty() || input.size() % kItem != 0) return false;
  std::vector<Affine<F>> points;
  std::vector<bls::Scalar> scalars;
  for (std::size_t at = 0; at < input.size(); at += kItem) {
    const auto point = read_point<F>(input.subspan(at, kSize));
    if (!point || !bls::in_subgroup(*point)) return false;
    const BytesView bytes = input.subspan(at + kSize, kScalarSize);
    bls::Scalar scalar{};
    for (std::size_t i = 0; i < kScalarSize; ++i) scalar[(31 - i) / 8] = scalar[(31 - i) / 8] << 8 | bytes[i];
    points.push_back(*point);
    scalars.push_back(scalar);
  }
  return write_point(bls::multiply_sum(std::span<const Affine<F>>(points), scalars), output);
}

}  // namespace

std::uint64_t bls_g1_msm_price(BytesView input, Revision) {
  return msm_price(input.size() / (kG1Size + kScalarSize), 12'000, kG1Discounts);
}
std::uint64_t bls_g2_msm_price(BytesView input, Revision) {
  return msm_price(input.size() / (kG2Size + kScalarSize), 22'500, kG2Discounts);
}

bool bls_g1_add(BytesView input, Bytes& output) { return add_points<Fp>(input, output); }
bool bls_g2_add(BytesView input, Bytes& output) { return add_points<Fp2>(input, output); }
bool bls_g1_msm(BytesView input, Bytes& output) { return multiply_points<Fp>(input, output); }
bool bls_g2_msm(BytesView input, Bytes& output) { return multiply_points<Fp2>(input, output); }

bool bls_pairing_check(BytesView input, Bytes& output) {
  constexpr std::size_t kPair = kG1Size + kG2Size;
  if (input.empty() || input.size() % kPair != 0) return false;
  PairingCheck<bls::Curve> check;
  for (std::size_t at = 0; at < input.size(); at += kPair) {
    const auto p = read_point<Fp>(input.subspan(at, kG1Size));
    const auto q = read_point<Fp2>(input.subspan(at + kG1Size, kG2Size));
    if (!p || !q || !bls::in_subgroup(*p) || !bls::in_subgroup(*q)) return false;
    check.add(*p, *q);
  }
  append_bool(output, check.is_one());
  return true;
}

bool bls_map_fp_to_g1(BytesView input, Bytes& output) {
  if (input.size() != kFpSize) return false;
  const auto u = read(input, static_cast<const Fp*>(nullptr));
  return u && write_point(bls::map_to_g1(*u), output);
}

bool bls_map_fp2_to_g2(BytesView input, Bytes& output) {
  if (input.size() != 2 * kFpSize) return false;
  const auto u = read(input, static_cast<const Fp2*>(nullptr));
  return u && write_point(bls::map_to_g2(*u), output);
}

}  // namespace bonus::chain::precompiles
