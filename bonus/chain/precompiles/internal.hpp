// What the precompiles' files share: each contract is a price and a function over bytes.
#pragma once

#include <cstdint>
#include <limits>

#include "bonus/base/bytes.hpp"
#include "bonus/chain/api/revision.hpp"

namespace bonus::chain::precompiles {

/// More gas than anybody has: prices saturate here.
inline constexpr std::uint64_t kNoPrice = std::numeric_limits<std::uint64_t>::max();

/// The price by input alone; nothing is executed. kNoPrice where the rules refuse the input before it is priced.
using PriceFunction = std::uint64_t (*)(BytesView input, Revision revision);
/// The answer, appended to the empty `output`. False: the call fails and all its gas is lost.
using ExecuteFunction = bool (*)(BytesView input, Bytes& output);

// hashes.cpp, ecrecover.cpp: Yellow Paper, appendix E.
bool ecrecover(BytesView input, Bytes& output);
bool sha256(BytesView input, Bytes& output);
bool ripemd160(BytesView input, Bytes& output);
bool identity(BytesView input, Bytes& output);
// modexp.cpp: EIP-198, 2565, 7823, 7883.
std::uint64_t modexp_price(BytesView input, Revision revision);
bool modexp(BytesView input, Bytes& output);
// bn254.cpp: EIP-196, 197.
bool bn254_add(BytesView input, Bytes& output);
bool bn254_mul(BytesView input, Bytes& output);
bool bn254_pairing(BytesView input, Bytes& output);
// blake2.cpp: EIP-152.
std::uint64_t blake2f_price(BytesView input, Revision revision);
bool blake2f(BytesView input, Bytes& output);
// kzg.cpp: EIP-4844.
bool kzg_point_evaluation(BytesView input, Bytes& output);
// bls12_381.cpp, bls_msm.cpp, bls_maps.cpp: EIP-2537.
std::uint64_t bls_g1_msm_price(BytesView input, Revision revision);
std::uint64_t bls_g2_msm_price(BytesView input, Revision revision);
bool bls_g1_add(BytesView input, Bytes& output);
bool bls_g1_msm(BytesView input, Bytes& output);
bool bls_g2_add(BytesView input, Bytes& output);
bool bls_g2_msm(BytesView input, Bytes& output);
bool bls_pairing_check(BytesView input, Bytes& output);
bool bls_map_fp_to_g1(BytesView input, Bytes& output);
bool bls_map_fp2_to_g2(BytesView input, Bytes& output);
// p256.cpp: EIP-7951.
bool p256_verify(BytesView input, Bytes& output);

/// `input` from `at`, `N` bytes, continued with zeros past its end as the EVM reads call data.
template <std::size_t N>
[[nodiscard]] std::array<std::uint8_t, N> padded(BytesView input, std::size_t at) {
  std::array<std::uint8_t, N> out{};
  if (at < input.size()) std::ranges::copy(input.subspan(at, std::min(N, input.size() - at)), out.begin());
  return out;
}

/// The EVM's true: 32 bytes, big-endian one; false is 32 zeros.
inline void append_bool(Bytes& output, bool value) {
  output.resize(output.size() + 32);
  output.back() = value ? 1 : 0;
}

}  // namespace bonus::chain::precompiles
