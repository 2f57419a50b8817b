// A transaction on the state: what it must satisfy, what it pays, what it leaves (Yellow Paper 6; EIP-1559, 2930, 3529,
// 3607, 3651, 4844, 7623, 7702, 7825).
#pragma once

#include "bonus/chain/api/types.hpp"
#include "bonus/chain/evm/machine.hpp"

namespace bonus::chain::evm {

struct TransitionOptions {
  /// Ethereum burns the base fee; on BonusChain the proposer gets it (ADR 0004).
  bool burn_base_fee = false;
  /// eth_call and its kin: no nonce, sender or gas-cap rules; nobody pays for gas whose price is zero.
  bool simulate = false;
  /// Gas that is left in the block.
  std::uint64_t gas_available = UINT64_MAX;
};

struct TransactionOutcome {
  Status status = Status::kSuccess;
  std::uint64_t gas_used = 0;   ///< After refunds and the floor: what is paid.
  std::uint64_t gas_spent = 0;  ///< Before refunds: what a gas limit must cover.
  Bytes output;                 ///< Return or revert data; of a creation the new code.
  std::optional<Address> created;
  std::vector<Log> logs;
};

/// The rules that need the state. Messages are geth's where a tool parses them. Changes nothing.
[[nodiscard]] Result<> check_transaction(Machine& machine, const SenderTransaction& item,
                                         const TransitionOptions& options);

/// Checks and runs one transaction and closes it in the journal. An error means that it is not valid at this place and
/// changed nothing; code that fails is charged and reported by the status.
[[nodiscard]] Result<TransactionOutcome> transact(Machine& machine, const SenderTransaction& item,
                                                  const TransitionOptions& options);

/// The receipt of a transaction that was mined; takes the outcome's logs. `gas_before` is what the block used before
/// it.
[[nodiscard]] Receipt make_receipt(const Transaction& tx, TransactionOutcome& outcome, const uint256& base_fee,
                                   std::uint64_t gas_before);

/// A call that the block itself makes (EIP-4788, 2935, 7002, 7251): from `kSystemCaller` with 30 million gas, free.
/// Nothing happens where no code is.
[[nodiscard]] Outcome system_call(Machine& machine, const Address& to, BytesView input);
inline constexpr Address kSystemCaller = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};

}  // namespace bonus::chain::evm
