// One BonusChain block in execution: transactions by the EVM, then the hooks of the system contracts.
#pragma once

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/evm/transition.hpp"

namespace bonus::chain::ledger {

using state::Journal;

/// Not thread-safe.
///
/// The whole fee (base fee and tip) goes to the beneficiary: fees are moved, never burnt (ADR 0004).
class BlockExecutor {
 public:
  /// All but `context` are borrowed.
  BlockExecutor(const StateView& base, const ContractRegistry& registry, const BlockContext& context,
                evm::ProgramCache& programs);

  /// Mines one transaction. An error means that it is not valid at this place and changed nothing; a call that fails is
  /// mined, charged, and has a receipt with success = false. Messages carry geth's texts.
  [[nodiscard]] Result<Receipt> apply(const SenderTransaction& tx);
  /// end_block hooks in registry order; then records keccak(rlp(system logs)) in the state (docs/formats/block.md).
  /// Once.
  void finish();

  [[nodiscard]] std::uint64_t gas_used() const { return gas_used_; }
  [[nodiscard]] const std::vector<Log>& system_logs() const { return system_logs_; }
  [[nodiscard]] const Journal& journal() const { return journal_; }
  /// The journal stops reading the base after the first storage error; ask before using any result.
  [[nodiscard]] Result<> check_storage() const;

 private:
  const ContractRegistry& registry_;
  const BlockContext context_;
  Journal journal_;
  evm::Machine machine_;
  std::uint64_t gas_used_ = 0;
  std::vector<Log> system_logs_;
};

/// Storage slot of kFoundationAddress that holds the hash of the block's system logs: keccak("systemLogs").
[[nodiscard]] uint256 system_logs_slot();

}  // namespace bonus::chain::ledger
