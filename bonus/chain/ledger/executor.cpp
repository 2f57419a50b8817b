// Transaction execution (Yellow Paper 6; EIP-1559, EIP-3607, EIP-7623) with native contracts instead of an EVM.
#include "bonus/chain/ledger/executor.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {
namespace {

constexpr std::size_t kMaxKeptOutput = 4096;  ///< Of a failed call, in its receipt.

}  // namespace

Result<> JournalHost::charge(std::uint64_t gas) {
  if (!metered_) return {};
  if (gas > left_) {
    left_ = 0;
    out_of_gas_ = true;
    return fail(ErrorCode::kExhausted, "out of gas");
  }
  left_ -= gas;
  return {};
}

uint256 system_logs_slot() {
  static const uint256 slot = uint256::from_be(crypto::keccak256(as_bytes("systemLogs")));
  return slot;
}

Result<MessageOutcome> run_message(Journal& journal, const ContractRegistry& registry, const BlockContext& context,
                                   const Address& from, const Address& to, const uint256& value, BytesView data,
                                   std::uint64_t gas) {
  const NativeContract* contract = registry.find(to);
  if (contract == nullptr && has_code(journal.account(to))) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} has code that this chain cannot run: it has native contracts only", to_hex0x(to)));
  }
  const Journal::Snapshot before = journal.snapshot();
  TRY(journal.transfer(from, to, value));
  if (contract == nullptr) return MessageOutcome{true, {}, gas};

  JournalHost host(journal, context, gas);
  const CallInput input{from, to, value, data, false};
  CallOutcome outcome = contract->call(host, input);
  MessageOutcome out{outcome.success, std::move(outcome.output), host.left()};
  if (host.out_of_gas()) {
    // A contract cannot talk itself out of an exceeded limit.
    out.success = false;
    out.gas_left = 0;
    if (out.output.empty()) out.output = abi::encode_revert("out of gas");
  }
  if (!out.success) journal.revert(before);
  return out;
}

BlockExecutor::BlockExecutor(const StateView& base, const ContractRegistry& registry, BlockContext context)
    : registry_(registry), context_(std::move(context)), journal_(base) {}

Result<> BlockExecutor::check_sender(const SenderTransaction& item, const Account& sender) const {
  const Transaction& tx = item.tx;
  TRY(check_static(tx, context_.chain_id, context_.gas_limit));
  if (tx.gas_limit > context_.gas_limit - gas_used_) return fail(ErrorCode::kExhausted, "gas limit reached");
  const auto nonces = [&] {
    return fmt::format("address {}, tx: {} state: {}", to_hex0x(item.sender), tx.nonce, sender.nonce);
  };
  if (tx.nonce < sender.nonce) return fail(ErrorCode::kInvalid, "nonce too low: " + nonces());
  if (tx.nonce > sender.nonce) return fail(ErrorCode::kConflict, "nonce too high: " + nonces());
  if (has_code(sender))  // EIP-3607
    return fail(ErrorCode::kDenied, "sender not an eoa: address " + to_hex0x(item.sender));
  if (tx.max_fee < context_.base_fee) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max fee per gas less than block base fee: maxFeePerGas: {}, baseFee: {}",
                            tx.max_fee.to_decimal(), context_.base_fee.to_decimal()));
  }
  const uint256 cost = uint256(tx.gas_limit) * tx.max_fee + tx.value;  // check_static: does not wrap
  if (sender.balance < cost) {
    return fail(ErrorCode::kExhausted,
                fmt::format("insufficient funds for gas * price + value: address {} have {} want {}",
                            to_hex0x(item.sender), sender.balance.to_decimal(), cost.to_decimal()));
  }
  const Account target = journal_.account(*tx.to);
  if (has_code(target) && registry_.find(*tx.to) == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} has code that this chain cannot run: it has native contracts only", to_hex0x(*tx.to)));
  }
  return {};
}

Result<Receipt> BlockExecutor::apply(const SenderTransaction& item) {
  const Transaction& tx = item.tx;
  journal_.begin_transaction();
  const Account sender = journal_.account(item.sender);
  TRY(check_storage());
  TRY(check_sender(item, sender));

  const Journal::Snapshot before = journal_.snapshot();
  const uint256 price = tx.effective_gas_price(context_.base_fee);
  journal_.set_nonce(item.sender, tx.nonce + 1);
  journal_.set_balance(item.sender, sender.balance - uint256(tx.gas_limit) * price);

  const std::uint64_t intrinsic = intrinsic_gas(tx);
  auto outcome =
      run_message(journal_, registry_, context_, item.sender, *tx.to, tx.value, tx.data, tx.gas_limit - intrinsic);
  if (!outcome) {
    journal_.revert(before);
    return fail(std::move(outcome).error());
  }
  const std::uint64_t used = std::max(tx.gas_limit - outcome->gas_left, floor_gas(tx));
  journal_.set_balance(item.sender, journal_.account(item.sender).balance + uint256(tx.gas_limit - used) * price);
  journal_.set_balance(context_.beneficiary, journal_.account(context_.beneficiary).balance + uint256(used) * price);

  Receipt receipt;
  receipt.type = tx.type;
  receipt.success = outcome->success;
  receipt.gas_used = used;
  receipt.effective_gas_price = price;
  receipt.logs = journal_.take_logs();
  if (!outcome->success) {
    outcome->output.resize(std::min(outcome->output.size(), kMaxKeptOutput));
    receipt.return_data = std::move(outcome->output);
  }
  if (auto storage = check_storage(); !storage) {
    journal_.revert({before.undo, 0, 0});
    return fail(std::move(storage).error());
  }
  gas_used_ += used;
  receipt.cumulative_gas = gas_used_;
  journal_.end_transaction(true);
  return receipt;
}

void BlockExecutor::finish() {
  JournalHost host(journal_, context_, std::nullopt);
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
