// Transactions.
#include "bonus/chain/evm/transition.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::evm {
namespace {

constexpr std::size_t kMaxKeptOutput = 4096;  // Of a failed call, in its receipt.
constexpr std::int64_t kSystemCallGas = 30'000'000;
constexpr std::int64_t kExistingAuthorityRefund = 12'500;  // EIP-7702: PER_EMPTY_ACCOUNT_COST - PER_AUTH_BASE_COST

/// gas limit * fee cap + value + blob gas * blob fee cap; nothing when it exceeds 256 bits.
std::optional<uint256> maximal_cost(const Transaction& tx) {
  uint256 gas;
  uint256 blobs;
  uint256 sum;
  if (mul_overflows(uint256(tx.gas_limit), tx.max_fee, gas)) return std::nullopt;
  if (mul_overflows(uint256(blob_gas(tx)), tx.max_fee_per_blob_gas, blobs)) return std::nullopt;
  if (add_overflows(gas, blobs, sum) || add_overflows(sum, tx.value, sum)) return std::nullopt;
  return sum;
}

Result<> check_fees(const BlockContext& block, const SenderTransaction& item, const TransitionOptions& options) {
  const Transaction& tx = item.tx;
  const bool free_call = options.simulate && tx.max_fee.is_zero() && tx.max_priority_fee.is_zero();
  if (block.revision >= Revision::kLondon && !free_call && tx.max_fee < block.base_fee) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max fee per gas less than block base fee: address {}, maxFeePerGas: {}, baseFee: {}",
                            to_hex0x(item.sender), tx.max_fee.to_decimal(), block.base_fee.to_decimal()));
  }
  const bool free_blobs = options.simulate && tx.max_fee_per_blob_gas.is_zero();
  if (!tx.blob_hashes.empty() && !free_blobs && tx.max_fee_per_blob_gas < block.blob_base_fee) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("max fee per blob gas less than block blob gas fee: address {} blobGasFeeCap: {}, "
                    "blobBaseFee: {}",
                    to_hex0x(item.sender), tx.max_fee_per_blob_gas.to_decimal(), block.blob_base_fee.to_decimal()));
  }
  return {};
}

Result<> check_nonce(const Account& sender, const SenderTransaction& item) {
  const std::uint64_t nonce = item.tx.nonce;
  const auto nonces = [&] {
    return fmt::format("address {}, tx: {} state: {}", to_hex0x(item.sender), nonce, sender.nonce);
  };
  if (nonce < sender.nonce) return fail(ErrorCode::kInvalid, "nonce too low: " + nonces());
  if (nonce > sender.nonce) return fail(ErrorCode::kConflict, "nonce too high: " + nonces());
  return {};
}

/// EIP-7702: sets the code of each account that signed for it; a wish that does not hold is skipped.
void apply_authorizations(Machine& machine, const Transaction& tx) {
  state::Journal& journal = machine.journal();
  for (const Authorization& wish : tx.authorizations) {
    if (!wish.chain_id.is_zero() && wish.chain_id != uint256(machine.block().chain_id)) continue;
    if (wish.nonce == UINT64_MAX) continue;
    const auto authority = wish.authority();
    if (!authority) continue;
    (void)journal.warm(*authority);
    const auto code = journal.code(*authority);
    if (!code->empty() && !delegation_target(*code)) continue;
    if (journal.account(*authority).nonce != wish.nonce) continue;
    if (journal.exists(*authority)) journal.add_refund(kExistingAuthorityRefund);
    if (wish.address.is_zero()) {
      if (!code->empty()) journal.set_code(*authority, {}, kEmptyCodeHash);
    } else {
      Bytes marker(kDelegationPrefix.begin(), kDelegationPrefix.end());
      append(marker, wish.address);
      const Hash32 hash = crypto::keccak256(marker);
      journal.set_code(*authority, std::move(marker), hash);
    }
    journal.set_nonce(*authority, wish.nonce + 1);
  }
}

void warm_up(Machine& machine, const SenderTransaction& item) {
  if (machine.revision() < Revision::kBerlin) return;
  state::Journal& journal = machine.journal();
  (void)journal.warm(item.sender);
  if (item.tx.to) (void)journal.warm(*item.tx.to);
  if (machine.revision() >= Revision::kShanghai) (void)journal.warm(machine.block().beneficiary);  // EIP-3651
  for (const auto& entry : item.tx.access_list) {
    (void)journal.warm(entry.address);
    for (const Hash32& key : entry.keys) (void)journal.warm(SlotKey{entry.address, uint256::from_be(key)});
  }
}

Message message_of(Machine& machine, const SenderTransaction& item, std::uint64_t gas) {
  const Transaction& tx = item.tx;
  Message m;
  m.gas = static_cast<std::int64_t>(std::min<std::uint64_t>(gas, INT64_MAX));
  m.sender = item.sender;
  m.value = tx.value;
  m.input = tx.data;
  if (tx.to) {
    m.recipient = m.code_address = *tx.to;
  } else {
    m.kind = CallKind::kCreate;
    // The nonce is raised already.
    m.recipient = create_address(item.sender, machine.journal().account(item.sender).nonce - 1);
  }
  return m;
}

}  // namespace

Result<> check_transaction(Machine& machine, const SenderTransaction& item, const TransitionOptions& options) {
  const Transaction& tx = item.tx;
  const BlockContext& block = machine.block();
  if (!options.simulate) {
    TRY(check_rules_under(tx, block.revision, block.chain_id));
  } else if (const auto needed = minimum_gas(tx, block.revision); tx.gas_limit < needed) {
    return fail(ErrorCode::kInvalid, fmt::format("intrinsic gas too low: have {}, want {}", tx.gas_limit, needed));
  }
  if (tx.gas_limit > options.gas_available) return fail(ErrorCode::kExhausted, "gas limit reached");
  const Account& sender = machine.journal().account(item.sender);
  if (!options.simulate) {
    TRY(check_nonce(sender, item));
    if (has_code(sender)) {  // EIP-3607
      const auto code = machine.journal().code(item.sender);
      if (block.revision < Revision::kPrague || !delegation_target(*code))
        return fail(ErrorCode::kDenied,
                    fmt::format("sender not an eoa: address {}, len(code): {}", to_hex0x(item.sender), code->size()));
    }
  }
  TRY(check_fees(block, item, options));
  const auto cost = maximal_cost(tx);
  if (!cost || sender.balance < *cost) {
    return fail(
        ErrorCode::kExhausted,
        fmt::format("insufficient funds for gas * price + value: address {} have {} want {}", to_hex0x(item.sender),
                    sender.balance.to_decimal(), cost ? cost->to_decimal() : "more than 256 bits can hold"));
  }
  return {};
}

Result<TransactionOutcome> transact(Machine& machine, const SenderTransaction& item, const TransitionOptions& options) {
  const Transaction& tx = item.tx;
  const BlockContext& block = machine.block();
  const Revision revision = block.revision;
  state::Journal& journal = machine.journal();
  journal.begin_transaction();
  TRY(check_transaction(machine, item, options));

  const uint256 price = revision >= Revision::kLondon ? tx.effective_gas_price(block.base_fee) : tx.max_fee;
  machine.set_transaction({item.sender, price, tx.blob_hashes});
  const uint256 blob_fee =
      uint256(blob_gas(tx)) * (options.simulate && tx.max_fee_per_blob_gas.is_zero() ? uint256() : block.blob_base_fee);
  journal.set_balance(item.sender, journal.account(item.sender).balance - uint256(tx.gas_limit) * price - blob_fee);
  journal.set_nonce(item.sender, journal.account(item.sender).nonce + 1);
  warm_up(machine, item);
  apply_authorizations(machine, tx);
  if (revision >= Revision::kPrague && tx.to) {
    if (const auto target = delegation_target(*journal.code(*tx.to))) (void)journal.warm(*target);
  }

  const std::uint64_t gas = tx.gas_limit - intrinsic_gas(tx, revision);
  const Message message = message_of(machine, item, gas);
  const Outcome result = machine.run(message);

  TransactionOutcome out;
  out.status = result.status;
  out.output.assign(result.output.begin(), result.output.end());
  if (!tx.to && result.status == Status::kSuccess) out.created = message.recipient;
  // Code sees 63 bits of gas at most; what is above them cannot be used.
  const std::uint64_t unseen = gas - static_cast<std::uint64_t>(message.gas);
  out.gas_spent = tx.gas_limit - unseen - static_cast<std::uint64_t>(result.gas_left);
  const auto refund = static_cast<std::uint64_t>(std::max<std::int64_t>(journal.refund(), 0));
  const std::uint64_t quotient = revision >= Revision::kLondon ? 5 : 2;  // EIP-3529
  out.gas_used = std::max(out.gas_spent - std::min(refund, out.gas_spent / quotient), floor_gas(tx, revision));
  out.gas_spent = std::max(out.gas_spent, floor_gas(tx, revision));

  journal.set_balance(item.sender, journal.account(item.sender).balance + uint256(tx.gas_limit - out.gas_used) * price);
  if (!options.simulate || !price.is_zero()) {
    const bool burns = options.burn_base_fee && revision >= Revision::kLondon;
    const uint256 earned = burns ? (price > block.base_fee ? price - block.base_fee : uint256()) : price;
    journal.add_balance(block.beneficiary, uint256(out.gas_used) * earned);
  }
  out.logs = journal.take_logs();
  journal.end_transaction(revision >= Revision::kSpuriousDragon);
  return out;
}

Receipt make_receipt(const Transaction& tx, TransactionOutcome& outcome, const uint256& base_fee,
                     std::uint64_t gas_before) {
  Receipt out;
  out.type = tx.type;
  out.success = outcome.status == Status::kSuccess;
  out.gas_used = outcome.gas_used;
  out.cumulative_gas = gas_before + outcome.gas_used;
  out.effective_gas_price = tx.effective_gas_price(base_fee);
  out.logs = std::move(outcome.logs);
  if (!out.success) out.return_data.assign(outcome.output.begin(), outcome.output.end());
  if (out.return_data.size() > kMaxKeptOutput) out.return_data.resize(kMaxKeptOutput);
  return out;
}

Outcome system_call(Machine& machine, const Address& to, BytesView input) {
  state::Journal& journal = machine.journal();
  journal.begin_transaction();
  if (!has_code(journal.account(to))) return {};
  machine.set_transaction({kSystemCaller, {}, {}});
  Message message;
  message.gas = kSystemCallGas;
  message.sender = kSystemCaller;
  message.recipient = message.code_address = to;
  message.input = input;
  const Outcome out = machine.run(message);
  journal.end_transaction(true);
  return out;
}

}  // namespace bonus::chain::evm
