// Montgomery arithmetic in x86-64 assembly for processors with BMI2 and ADX: two chains of carries side by side
// (Ozturk, Guilford, Gopal, Intel white paper 2012). field.hpp takes it where the processor has it.
#pragma once

#include <cstdint>

namespace bonus::chain::precompiles::adx {

#if defined(__x86_64__)
/// Does this processor have the instructions?
extern const bool kAvailable;

// Little-endian words, 4 or 6 of them (twice as many in a product). `modulus` is odd with two free top bits,
// `negative_inverse` is -1 / modulus mod 2^64.

/// out = a * b / 2^(64 N) mod modulus
void multiply_reduced4(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b, const std::uint64_t* modulus,
                       std::uint64_t negative_inverse);
void multiply_reduced6(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b, const std::uint64_t* modulus,
                       std::uint64_t negative_inverse);
/// out = a * b
void multiply4(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b);
void multiply6(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b);
/// out = in / 2^(64 N) mod modulus, for in < modulus * 2^(64 N)
void reduce4(std::uint64_t* out, const std::uint64_t* in, const std::uint64_t* modulus, std::uint64_t negative_inverse);
void reduce6(std::uint64_t* out, const std::uint64_t* in, const std::uint64_t* modulus, std::uint64_t negative_inverse);
/// Product of a0 + a1 u and b0 + b1 u, u^2 = -1: two reduced numbers each, one behind the other.
void multiply_pairs4(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b, const std::uint64_t* modulus,
                     std::uint64_t negative_inverse);
void multiply_pairs6(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* b, const std::uint64_t* modulus,
                     std::uint64_t negative_inverse);
/// Square of a0 + a1 u.
void square_pair4(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* modulus,
                  std::uint64_t negative_inverse);
void square_pair6(std::uint64_t* out, const std::uint64_t* a, const std::uint64_t* modulus,
                  std::uint64_t negative_inverse);
#endif

}  // namespace bonus::chain::precompiles::adx
