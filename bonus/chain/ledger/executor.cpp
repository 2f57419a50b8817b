// Block execution.
#include "bonus/chain/ledger/executor.hpp"

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/evm/native_host.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {

uint256 system_logs_slot() {
  static const uint256 slot = uint256::from_be(crypto::keccak256(as_bytes("systemLogs")));
  return slot;
}

BlockExecutor::BlockExecutor(const StateView& base, const ContractRegistry& registry, const BlockContext& context,
                             evm::ProgramCache& programs)
    : registry_(registry),
      context_(context),
      journal_(base),
      machine_(journal_, context_, {.natives = &registry_, .programs = &programs}) {}

Result<Receipt> BlockExecutor::apply(const SenderTransaction& item) {
  TRY(check_static(item.tx, context_.chain_id, context_.gas_limit));
  auto outcome = evm::transact(machine_, item, {.gas_available = context_.gas_limit - gas_used_});
  TRY(check_storage());
  if (!outcome) return fail(std::move(outcome).error());

  Receipt receipt = evm::make_receipt(item.tx, *outcome, context_.base_fee, gas_used_);
  gas_used_ = receipt.cumulative_gas;
  return receipt;
}

void BlockExecutor::finish() {
  evm::NativeHost host(journal_, context_, std::nullopt);
  for (const NativeContract* contract : registry_.in_order()) contract->end_block(host);
  system_logs_ = journal_.take_logs();
  const uint256 digest =
      system_logs_.empty() ? uint256() : uint256::from_be(crypto::keccak256(encode_logs(system_logs_)));
  journal_.set_storage({kFoundationAddress, system_logs_slot()}, digest);
  journal_.end_transaction(true);
}

Result<> BlockExecutor::check_storage() const {
  if (const auto& error = journal_.base().error()) return fail(*error);
  return {};
}

}  // namespace bonus::chain::ledger
