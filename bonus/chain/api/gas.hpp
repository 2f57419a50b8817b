// Gas and fee rules that mempool, executor and RPC share: intrinsic gas and the EIP-1559 base fee.
#pragma once

#include "bonus/chain/api/genesis.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

inline constexpr std::uint64_t kTransactionGas = 21'000;       ///< Yellow Paper, G_transaction.
inline constexpr std::uint64_t kCreationGas = 32'000;          ///< G_txcreate.
inline constexpr std::uint64_t kInitCodeWordGas = 2;           ///< EIP-3860, per 32-byte word.
inline constexpr std::size_t kMaxInitCodeBytes = 49'152;       ///< EIP-3860.
inline constexpr std::uint64_t kCalldataTokenGas = 4;          ///< EIP-2028; a non-zero byte is four tokens.
inline constexpr std::uint64_t kCalldataFloorTokenGas = 10;    ///< EIP-7623.
inline constexpr std::uint64_t kAccessAddressGas = 2'400;      ///< EIP-2930.
inline constexpr std::uint64_t kAccessKeyGas = 1'900;          ///< EIP-2930.
inline constexpr std::uint64_t kBaseFeeElasticity = 2;         ///< EIP-1559.
inline constexpr std::uint64_t kBaseFeeChangeDenominator = 8;  ///< EIP-1559.

/// Charged before anything runs.
[[nodiscard]] std::uint64_t intrinsic_gas(const Transaction& tx);
/// EIP-7623: what the transaction pays at least, however little it executes.
[[nodiscard]] std::uint64_t floor_gas(const Transaction& tx);
/// The smallest gas limit with which the transaction is valid.
[[nodiscard]] std::uint64_t minimum_gas(const Transaction& tx);

/// Base fee of the block after `parent`: EIP-1559, never below genesis.min_base_fee; genesis.base_fee after block 0.
[[nodiscard]] uint256 next_base_fee(const Header& parent, const Genesis& genesis);

/// Checks that need no state: chain id, gas limit against minimum_gas, fee fields, creation and nonce bounds. The
/// messages are geth's where a tool parses them.
[[nodiscard]] Result<> check_static(const Transaction& tx, std::uint64_t chain_id, std::uint64_t block_gas_limit);

}  // namespace bonus::chain
