// Fixed hashes and values of the Prague header and of the BonusChain state (docs/formats/block.md,
// docs/formats/state.md).
#pragma once

#include <array>

#include "bonus/base/bytes.hpp"

namespace bonus::chain {

namespace internal {
consteval std::uint8_t hex_digit(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }
consteval Hash32 hash_literal(const char (&text)[65]) {
  Hash32 out;
  for (unsigned i = 0; i < 32; ++i)
    out.bytes[i] = static_cast<std::uint8_t>(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
  return out;
}
}  // namespace internal

/// keccak256(rlp("")): the root of an empty trie.
inline constexpr Hash32 kEmptyTrieRoot =
    internal::hash_literal("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
/// keccak256(rlp([])): the header has no ommers.
inline constexpr Hash32 kEmptyOmmersHash =
    internal::hash_literal("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
/// keccak256(""): an account without code.
inline constexpr Hash32 kEmptyCodeHash =
    internal::hash_literal("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
/// sha256(""): EIP-7685 requests hash of a block without requests.
inline constexpr Hash32 kEmptyRequestsHash =
    internal::hash_literal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/// The code of every native contract as eth_getCode shows it: INVALID (0xfe), so that a tool sees "a contract is here".
inline constexpr std::array<std::uint8_t, 1> kSystemCode{0xfe};
[[nodiscard]] Hash32 system_code_hash();  ///< keccak256(kSystemCode).

}  // namespace bonus::chain
