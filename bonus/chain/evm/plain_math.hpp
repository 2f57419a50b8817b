// The arithmetic instructions in their most obvious form, bit by bit where that is the definition: what the fast
// interpreter is compared with. Internal.
#pragma once

#include "bonus/base/uint256.hpp"

namespace bonus::chain::evm::plain {

/// The result of an instruction below KECCAK256; `a` is the top of the stack. Slow.
[[nodiscard]] uint256 compute(std::uint8_t op, const uint256& a, const uint256& b, const uint256& c);

}  // namespace bonus::chain::evm::plain
