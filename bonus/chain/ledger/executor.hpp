// Executes transactions and block hooks on an journal: fee rules, value transfer, dispatch to native contracts.
#pragma once

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/state/journal.hpp"

namespace bonus::chain::ledger {

using state::Journal;

/// What a contract sees of the journal. `limit` empties into kExhausted; without a limit charging is free (block
/// hooks).
class JournalHost final : public Host {
 public:
  JournalHost(Journal& journal, const BlockContext& context, std::optional<std::uint64_t> limit)
      : journal_(journal), context_(context), metered_(limit.has_value()), left_(limit.value_or(0)) {}
  [[nodiscard]] const BlockContext& block() const override { return context_; }
  [[nodiscard]] uint256 balance(const Address& account) const override { return journal_.account(account).balance; }
  [[nodiscard]] Result<> transfer(const Address& from, const Address& to, const uint256& amount) override {
    return journal_.transfer(from, to, amount);
  }
  [[nodiscard]] uint256 load(const Address& contract, const uint256& slot) const override {
    return journal_.storage({contract, slot});
  }
  void store(const Address& contract, const uint256& slot, const uint256& value) override {
    journal_.set_storage({contract, slot}, value);
  }
  void emit(Log log) override { journal_.emit(std::move(log)); }
  [[nodiscard]] Result<> charge(std::uint64_t gas) override;
  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] bool out_of_gas() const { return out_of_gas_; }

 private:
  Journal& journal_;
  const BlockContext& context_;
  bool metered_;
  bool out_of_gas_ = false;
  std::uint64_t left_;
};

struct MessageOutcome {
  bool success = false;
  Bytes output;
  std::uint64_t gas_left = 0;
};
/// Value transfer and, where `to` is a native contract, its call; everything is undone on failure. kUnsupported when
/// `to` has code that no native contract implements; kExhausted when the caller cannot pay `value`.
[[nodiscard]] Result<MessageOutcome> run_message(Journal& journal, const ContractRegistry& registry,
                                                 const BlockContext& context, const Address& from, const Address& to,
                                                 const uint256& value, BytesView data, std::uint64_t gas);

/// One block in execution. Not thread-safe.
///
/// The whole fee (base fee and tip) goes to the beneficiary: nothing is burnt, so the sum of all balances is constant.
class BlockExecutor {
 public:
  BlockExecutor(const StateView& base, const ContractRegistry& registry, BlockContext context);

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
  [[nodiscard]] Result<> check_sender(const SenderTransaction& tx, const Account& sender) const;

  const ContractRegistry& registry_;
  BlockContext context_;
  Journal journal_;
  std::uint64_t gas_used_ = 0;
  std::vector<Log> system_logs_;
};

/// Storage slot of kFoundationAddress that holds the hash of the block's system logs: keccak("systemLogs").
[[nodiscard]] uint256 system_logs_slot();

}  // namespace bonus::chain::ledger
