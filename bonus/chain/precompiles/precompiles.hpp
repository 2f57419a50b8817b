// Ethereum's precompiled contracts, Frontier to Osaka: which addresses they have, what they cost, what they answer.
#pragma once

#include <cstdint>

#include "bonus/base/bytes.hpp"
#include "bonus/chain/api/revision.hpp"

namespace bonus::chain::precompiles {

/// Is there a precompile at `address` under these rules?
[[nodiscard]] bool is_precompile(const Address& address, Revision revision);
/// All of them, ascending: the set that EIP-2929 makes warm.
[[nodiscard]] std::span<const Address> addresses(Revision revision);

struct Reply {
  bool success = false;        ///< False: bad input or too little gas; all gas of the call is lost.
  std::uint64_t gas_used = 0;  ///< At most the given gas.
};
/// Runs the precompile at `address` (is_precompile() must hold). `output` is overwritten, its capacity is kept; it is
/// empty on failure. Pure and thread-safe.
[[nodiscard]] Reply run(const Address& address, Revision revision, BytesView input, std::uint64_t gas, Bytes& output);

}  // namespace bonus::chain::precompiles
