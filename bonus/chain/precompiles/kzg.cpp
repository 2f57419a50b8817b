// Precompile 0x0a: is y the value at z of the polynomial that a KZG commitment stands for (EIP-4844)?
#include "bonus/chain/precompiles/bls12_381.hpp"
#include "bonus/chain/precompiles/internal.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::precompiles {
namespace {

using bls::Fp;
using bls::Fp2;
using bls::G1;
using bls::G2;
using bls::Scalar;

constexpr std::size_t kInputSize = 192;  // versioned hash 32, z 32, y 32, commitment 48, proof 48
constexpr std::uint8_t kHashVersion = 0x01;
constexpr std::uint64_t kElementsPerBlob = 4096;

/// [tau] G2 of Ethereum's ceremony: the second of g2_monomial in the consensus specification's trusted_setup_4096.json.
constexpr Fp2 kTauX{
    Fp::hex("185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2"),
    Fp::hex("15bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72")};
constexpr Fp2 kTauY{
    Fp::hex("014353bdb96b626dd7d5ee8599d1fca2131569490e28de18e82451a496a9c9794ce26d105941f383ee689bfbbb832a99"),
    Fp::hex("1666c54b0a32529503432fcae0181b4bef79de09fc63671fda5ed1ba9bfa07899495346f3d7ac9cd23048ef30d0a154f")};

std::optional<Scalar> read_scalar(BytesView in) {
  Scalar out{};
  for (std::size_t i = 0; i < 32; ++i) out[(31 - i) / 8] = out[(31 - i) / 8] << 8 | in[i];
  if (!less(out, bls::kOrder)) return std::nullopt;
  return out;
}

Scalar negative(const Scalar& value) {
  if (value == Scalar{}) return value;
  Scalar out = bls::kOrder;
  (void)sub_from(out, value);
  return out;
}

/// Above (p - 1) / 2?
bool is_larger_half(const Fp& y) {
  auto doubled = y.limbs();
  const auto same = doubled;
  (void)add_to(doubled, same);
  return !less(doubled, Fp::kModulus);
}

/// The 48-byte form of the consensus specification (ZCash's): x with three flags on top. Only points of the subgroup.
std::optional<G1> read_compressed(BytesView in) {
  constexpr std::uint8_t kCompressed = 0x80;
  constexpr std::uint8_t kInfinity = 0x40;
  constexpr std::uint8_t kLarger = 0x20;
  const std::uint8_t flags = in[0] & (kCompressed | kInfinity | kLarger);
  Bytes bytes(in.begin(), in.end());
  bytes[0] ^= flags;
  if ((flags & kCompressed) == 0) return std::nullopt;
  if ((flags & kInfinity) != 0) {
    if ((flags & kLarger) != 0 || std::ranges::any_of(bytes, [](std::uint8_t b) { return b != 0; }))
      return std::nullopt;
    return G1{};
  }
  const auto x = Fp::from_be(bytes);
  if (!x) return std::nullopt;
  const auto y = (x->squared() * *x + bls::kB).root();
  if (!y) return std::nullopt;
  const bool larger = (flags & kLarger) != 0;
  const G1 out{*x, is_larger_half(*y) == larger ? *y : -*y, false};
  if (!bls::in_subgroup(out)) return std::nullopt;
  return out;
}

}  // namespace

bool kzg_point_evaluation(BytesView input, Bytes& output) {
  if (input.size() != kInputSize) return false;
  const BytesView commitment_bytes = input.subspan(96, 48);
  Hash32 versioned_hash = crypto::sha256(commitment_bytes);
  versioned_hash.bytes[0] = kHashVersion;
  if (!std::ranges::equal(versioned_hash.bytes, input.first(32))) return false;
  const auto z = read_scalar(input.subspan(32, 32));
  const auto y = read_scalar(input.subspan(64, 32));
  if (!z || !y) return false;
  const auto commitment = read_compressed(commitment_bytes);
  const auto proof = read_compressed(input.subspan(144, 48));
  if (!commitment || !proof) return false;

  // e(C - y G1, G2) = e(proof, (tau - z) G2), with all that varies moved to G1:
  // e(C - y G1 + z proof, G2) e(-proof, tau G2) = 1. The lines of both points of G2 are known in advance.
  static const auto generator_lines = lines_of<bls::Curve>(bls::g2_generator());
  static const auto tau_lines = lines_of<bls::Curve>(G2{kTauX, kTauY, false});
  const std::array<G1, 2> points{bls::g1_generator(), *proof};
  const std::array<Scalar, 2> scalars{negative(*y), *z};
  PairingCheck<bls::Curve> check;
  check.add(bls::multiply_sum(points, scalars).plus(*commitment).affine(), generator_lines);
  check.add(-*proof, tau_lines);
  if (!check.is_one()) return false;

  output.resize(24);
  for (unsigned shift = 64; shift > 0; shift -= 8) {
    output.push_back(static_cast<std::uint8_t>(kElementsPerBlob >> (shift - 8)));
  }
  for (std::size_t i = 32; i-- > 0;) output.push_back(static_cast<std::uint8_t>(bls::kOrder[i / 8] >> (i % 8 * 8)));
  return true;
}

}  // namespace bonus::chain::precompiles
