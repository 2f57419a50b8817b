// Gas and fee rules that mempool, executor, tools and RPC share: intrinsic gas of every fork, the EIP-1559 base fee and
// the blob fee market.
#pragma once

#include "bonus/chain/api/genesis.hpp"
#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

inline constexpr std::uint64_t kTransactionGas = 21'000;       ///< Yellow Paper, G_transaction.
inline constexpr std::uint64_t kCreationGas = 32'000;          ///< G_txcreate.
inline constexpr std::uint64_t kInitCodeWordGas = 2;           ///< EIP-3860, per 32-byte word.
inline constexpr std::size_t kMaxInitCodeBytes = 49'152;       ///< EIP-3860.
inline constexpr std::uint64_t kCalldataTokenGas = 4;          ///< EIP-2028; a non-zero byte is four tokens.
inline constexpr std::uint64_t kCalldataZeroGas = 4;           ///< G_txdatazero.
inline constexpr std::uint64_t kCalldataNonZeroGas = 16;       ///< EIP-2028, from Istanbul.
inline constexpr std::uint64_t kCalldataNonZeroGasOld = 68;    ///< G_txdatanonzero before Istanbul.
inline constexpr std::uint64_t kCalldataFloorTokenGas = 10;    ///< EIP-7623.
inline constexpr std::uint64_t kAccessAddressGas = 2'400;      ///< EIP-2930.
inline constexpr std::uint64_t kAccessKeyGas = 1'900;          ///< EIP-2930.
inline constexpr std::uint64_t kAuthorizationGas = 25'000;     ///< EIP-7702, PER_EMPTY_ACCOUNT_COST.
inline constexpr std::uint64_t kMaxTransactionGas = 1 << 24;   ///< EIP-7825, from Osaka.
inline constexpr std::uint64_t kGasPerBlob = 131'072;          ///< EIP-4844.
inline constexpr std::uint64_t kBaseFeeElasticity = 2;         ///< EIP-1559.
inline constexpr std::uint64_t kBaseFeeChangeDenominator = 8;  ///< EIP-1559.

/// Charged before anything runs, by the rules of `revision`; UINT64_MAX instead of a sum that does not fit.
[[nodiscard]] std::uint64_t intrinsic_gas(const Transaction& tx, Revision revision = kBonusRevision);
/// EIP-7623: what the transaction pays at least, however little it executes. 0 before Prague.
[[nodiscard]] std::uint64_t floor_gas(const Transaction& tx, Revision revision = kBonusRevision);
/// The smallest gas limit with which the transaction is valid.
[[nodiscard]] std::uint64_t minimum_gas(const Transaction& tx, Revision revision = kBonusRevision);

/// Base fee of the block after `parent`: EIP-1559, never below genesis.min_base_fee; genesis.base_fee after block 0.
[[nodiscard]] uint256 next_base_fee(const Header& parent, const Genesis& genesis);

/// The blob fee market of a fork (EIP-4844, 7691, 7594). All zero before Cancun.
struct BlobSchedule {
  std::uint32_t target = 0;           ///< Blobs per block around which the fee is steady.
  std::uint32_t max = 0;              ///< Blobs per block.
  std::uint32_t max_transaction = 0;  ///< Blobs per transaction.
  std::uint64_t update_fraction = 0;  ///< Of the exponential.
};
[[nodiscard]] BlobSchedule blob_schedule(Revision revision);
/// kGasPerBlob for each blob hash.
[[nodiscard]] std::uint64_t blob_gas(const Transaction& tx);
/// Wei per blob gas: fake_exponential of EIP-4844 over the fork's update fraction, at least 1; 2^256 - 1 when it does
/// not fit; 0 before Cancun.
[[nodiscard]] uint256 blob_base_fee(std::uint64_t excess_blob_gas, Revision revision = kBonusRevision);
[[nodiscard]] uint256 blob_base_fee(std::uint64_t excess_blob_gas, const BlobSchedule& schedule);
/// excess_blob_gas of the block after one with these values, by the rules of the child's revision. `parent_base_fee`
/// matters from Osaka on (EIP-7918: blobs cost at least what their execution-side handling would).
[[nodiscard]] std::uint64_t next_excess_blob_gas(std::uint64_t parent_excess, std::uint64_t parent_used,
                                                 const uint256& parent_base_fee, Revision revision = kBonusRevision);
[[nodiscard]] std::uint64_t next_excess_blob_gas(std::uint64_t parent_excess, std::uint64_t parent_used,
                                                 const uint256& parent_base_fee, Revision revision,
                                                 const BlobSchedule& schedule);

/// BonusChain's checks that need no state: type (0, 1, 2, 4; there are no blob carriers), chain id, init code size, gas
/// limit against EIP-7825 and minimum_gas, fee fields, nonce bound and a type-4 transaction's `to` and authorizations.
/// The messages are geth's where a tool parses them.
[[nodiscard]] Result<> check_static(const Transaction& tx, std::uint64_t chain_id, std::uint64_t block_gas_limit);

}  // namespace bonus::chain
