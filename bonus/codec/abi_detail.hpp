// Internal to bonus/codec: sizes of ABI types, shared by the parser, the encoder and the decoder.
#pragma once

#include "bonus/codec/abi.hpp"

namespace bonus::abi::detail {

inline constexpr std::size_t kWord = 32;

/// Words of the head part of the members of a tuple or fixed array, or 1 for an elementary type.
[[nodiscard]] std::size_t static_words(const Type& type);
/// Words that a value takes in the head of what encloses it: one (an offset) when it is dynamic.
[[nodiscard]] std::size_t head_words(const Type& type);

}  // namespace bonus::abi::detail
