// Keccak-f[1600] (Keccak reference, version 3.0) and Keccak-256 with the original padding, as Ethereum uses it.
#include <bit>

#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace {

using Lane = std::uint64_t;
constexpr std::size_t kRate = 136;  // 1088 bits: capacity is twice the output.
constexpr std::size_t kRateLanes = kRate / 8;

constexpr std::array<Lane, 24> kRoundConstants{
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

/// chi on one row of five lanes.
[[gnu::always_inline]] inline void chi(Lane& e0, Lane& e1, Lane& e2, Lane& e3, Lane& e4, Lane b0, Lane b1, Lane b2,
                                       Lane b3, Lane b4) {
  e0 = b0 ^ (~b1 & b2);
  e1 = b1 ^ (~b2 & b3);
  e2 = b2 ^ (~b3 & b4);
  e3 = b3 ^ (~b4 & b0);
  e4 = b4 ^ (~b0 & b1);
}

using State = std::array<Lane, 25>;  // Lane (x, y) is state[x + 5 * y].

/// One round from a into e. All indices are constants, so both states live in registers and spill slots only.
[[gnu::always_inline]] inline void round(const State& a, State& e, Lane constant) {
  const Lane c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
  const Lane c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
  const Lane c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
  const Lane c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
  const Lane c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
  const Lane d0 = c4 ^ std::rotl(c1, 1);
  const Lane d1 = c0 ^ std::rotl(c2, 1);
  const Lane d2 = c1 ^ std::rotl(c3, 1);
  const Lane d3 = c2 ^ std::rotl(c4, 1);
  const Lane d4 = c3 ^ std::rotl(c0, 1);

  // theta is finished, rho rotates, pi picks the sources of each row.
  chi(e[0], e[1], e[2], e[3], e[4], a[0] ^ d0, std::rotl(a[6] ^ d1, 44), std::rotl(a[12] ^ d2, 43),
      std::rotl(a[18] ^ d3, 21), std::rotl(a[24] ^ d4, 14));
  chi(e[5], e[6], e[7], e[8], e[9], std::rotl(a[3] ^ d3, 28), std::rotl(a[9] ^ d4, 20), std::rotl(a[10] ^ d0, 3),
      std::rotl(a[16] ^ d1, 45), std::rotl(a[22] ^ d2, 61));
  chi(e[10], e[11], e[12], e[13], e[14], std::rotl(a[1] ^ d1, 1), std::rotl(a[7] ^ d2, 6), std::rotl(a[13] ^ d3, 25),
      std::rotl(a[19] ^ d4, 8), std::rotl(a[20] ^ d0, 18));
  chi(e[15], e[16], e[17], e[18], e[19], std::rotl(a[4] ^ d4, 27), std::rotl(a[5] ^ d0, 36), std::rotl(a[11] ^ d1, 10),
      std::rotl(a[17] ^ d2, 15), std::rotl(a[23] ^ d3, 56));
  chi(e[20], e[21], e[22], e[23], e[24], std::rotl(a[2] ^ d2, 62), std::rotl(a[8] ^ d3, 55), std::rotl(a[14] ^ d4, 39),
      std::rotl(a[15] ^ d0, 41), std::rotl(a[21] ^ d1, 2));
  e[0] ^= constant;
}

[[gnu::always_inline]] inline void rounds(State& state) {
  State a = state;
  State e;
  for (std::size_t i = 0; i < kRoundConstants.size(); i += 2) {
    round(a, e, kRoundConstants[i]);
    round(e, a, kRoundConstants[i + 1]);
  }
  state = a;
}

using Permutation = void (*)(State&);
void permute_anywhere(State& state) { rounds(state); }
#if defined(__x86_64__)
/// The same code with ANDN for chi and RORX for the rotations.
[[gnu::target("bmi,bmi2")]] void permute_with_bmi(State& state) { rounds(state); }
#endif
Permutation best_permutation() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) return permute_with_bmi;
#endif
  return permute_anywhere;
}
/// Usable before it is chosen: objects of static storage may hash.
constinit Permutation permute = permute_anywhere;
[[maybe_unused]] const bool kChosen = (permute = best_permutation(), true);

class Sponge {
 public:
  void absorb(BytesView in) {
    if (filled_ != 0) {
      const std::size_t take = std::min(in.size(), kRate - filled_);
      std::ranges::copy(in.first(take), buffer_.begin() + static_cast<std::ptrdiff_t>(filled_));
      filled_ += take;
      in = in.subspan(take);
      if (filled_ < kRate) return;
      block(buffer_.data());
      filled_ = 0;
    }
    for (; in.size() >= kRate; in = in.subspan(kRate)) block(in.data());
    std::ranges::copy(in, buffer_.begin());
    filled_ = in.size();
  }
  Hash32 finish() {
    std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.end(), std::uint8_t{0});
    buffer_[filled_] ^= 0x01;
    buffer_[kRate - 1] ^= 0x80;
    block(buffer_.data());
    Hash32 out;
    std::memcpy(out.bytes.data(), state_.data(), out.bytes.size());
    return out;
  }

 private:
  void block(const std::uint8_t* in) {
    static_assert(std::endian::native == std::endian::little);
    for (std::size_t i = 0; i < kRateLanes; ++i) {
      Lane lane = 0;
      std::memcpy(&lane, in + 8 * i, 8);
      state_[i] ^= lane;
    }
    permute(state_);
  }

  State state_{};
  std::array<std::uint8_t, kRate> buffer_{};
  std::size_t filled_ = 0;
};

}  // namespace

Hash32 keccak256(BytesView in) {
  Sponge sponge;
  sponge.absorb(in);
  return sponge.finish();
}

Hash32 keccak256(BytesView a, BytesView b) {
  Sponge sponge;
  sponge.absorb(a);
  sponge.absorb(b);
  return sponge.finish();
}

}  // namespace bonus::crypto
