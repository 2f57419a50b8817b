// A Host in memory, with blocks, transactions that are undone when they fail, and the checks of conservation: the
// ground on which tests and benchmarks run the system contracts without a ledger.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::contracts {

class MemoryHost final : public Host {
 public:
  explicit MemoryHost(Genesis genesis) : genesis_(std::move(genesis)) {
    block_.chain_id = genesis_.chain_id;
    block_.timestamp = genesis_.timestamp;
    block_.gas_limit = genesis_.gas_limit;
    block_.genesis = &genesis_;
    for (const auto& [account, amount] : genesis_.balances) balances_[account] = amount;
  }
  MemoryHost(const MemoryHost&) = delete;
  MemoryHost& operator=(const MemoryHost&) = delete;

  [[nodiscard]] const BlockContext& block() const override { return block_; }
  [[nodiscard]] uint256 balance(const Address& account) const override {
    const auto found = balances_.find(account);
    return found == balances_.end() ? uint256() : found->second;
  }
  [[nodiscard]] Result<> transfer(const Address& from, const Address& to, const uint256& amount) override {
    if (balance(from) < amount) return fail(ErrorCode::kExhausted, "balance too low");
    set_balance(from, balance(from) - amount);
    set_balance(to, balance(to) + amount);
    return {};
  }
  [[nodiscard]] uint256 load(const Address& contract, const uint256& slot) const override {
    const auto storage = storage_.find(contract);
    if (storage == storage_.end()) return {};
    const auto found = storage->second.find(slot);
    return found == storage->second.end() ? uint256() : found->second;
  }
  void store(const Address& contract, const uint256& slot, const uint256& value) override {
    uint256& word = storage_[contract][slot];
    if (journaling_) undo_words_.emplace_back(contract, slot, word);
    word = value;
    ++writes;
  }
  void emit(Log log) override { logs.push_back(std::move(log)); }
  [[nodiscard]] Result<> charge(std::uint64_t gas) override {
    if (gas > gas_left) {
      gas_left = 0;
      return fail(ErrorCode::kExhausted, "out of gas");
    }
    gas_left -= gas;
    return {};
  }

  /// A call by `from`; a failed one changes nothing. `logs` holds those of this call afterwards.
  CallOutcome send(const Address& from, const Address& to, const Bytes& data, const uint256& value = {},
                   std::uint64_t gas = 30'000'000) {
    logs.clear();
    gas_left = gas;
    journaling_ = true;
    CallOutcome out{false, abi::encode_revert("insufficient funds")};
    if (transfer(from, to, value)) {
      out = system_contracts().find(to)->call(
          *this, {.caller = from, .contract = to, .value = value, .data = data, .read_only = false});
    }
    if (!out.success) {
      for (auto undo = undo_words_.rbegin(); undo != undo_words_.rend(); ++undo) {
        storage_[std::get<0>(*undo)][std::get<1>(*undo)] = std::get<2>(*undo);
      }
      for (auto undo = undo_balances_.rbegin(); undo != undo_balances_.rend(); ++undo)
        balances_[undo->first] = undo->second;
      logs.clear();
    }
    journaling_ = false;
    undo_words_.clear();
    undo_balances_.clear();
    gas_used = gas - gas_left;
    return out;
  }
  /// A static call.
  [[nodiscard]] CallOutcome view(const Address& to, const Bytes& data, std::uint64_t gas = 50'000'000) {
    gas_left = gas;
    const std::size_t before = writes;
    CallOutcome out = system_contracts().find(to)->call(
        *this, {.caller = {}, .contract = to, .value = {}, .data = data, .read_only = true});
    view_wrote |= writes != before;
    gas_used = gas - gas_left;
    return out;
  }
  /// The end of this block, then the next one `seconds` later. `logs` holds those of the hooks.
  void next_block(std::uint64_t seconds) {
    logs.clear();
    gas_left = 0;  // hooks must not need gas
    for (const NativeContract* contract : system_contracts().in_order()) contract->end_block(*this);
    ++block_.number;
    block_.timestamp += seconds;
    block_.randao = crypto::keccak256(uint256(block_.number).to_be(), uint256(seed).to_be());
  }

  /// "" or what is wrong: contracts hold what they owe, and nothing was made or lost.
  [[nodiscard]] std::string check_conservation(const uint256& supply) const {
    uint256 sum;
    for (const auto& [account, amount] : balances_) sum += amount;
    if (sum != supply) return "supply is " + sum.to_decimal() + " instead of " + supply.to_decimal();
    for (const NativeContract* contract : system_contracts().in_order()) {
      if (contract->liabilities(*this) != balance(contract->address())) {
        return to_hex0x(contract->address()) + " owes " + contract->liabilities(*this).to_decimal() + " and holds " +
               balance(contract->address()).to_decimal();
      }
    }
    return {};
  }

  Genesis& genesis() { return genesis_; }
  BlockContext& context() { return block_; }
  void set_balance(const Address& account, const uint256& amount) {
    uint256& balance = balances_[account];
    if (journaling_) undo_balances_.emplace_back(account, balance);
    balance = amount;
  }

  std::vector<Log> logs;
  std::uint64_t gas_left = 0, gas_used = 0, seed = 0;
  std::size_t writes = 0;
  bool view_wrote = false;

 private:
  Genesis genesis_;
  BlockContext block_;
  std::map<Address, uint256> balances_;
  std::unordered_map<Address, std::unordered_map<uint256, uint256>> storage_;
  bool journaling_ = false;
  std::vector<std::tuple<Address, uint256, uint256>> undo_words_;
  std::vector<std::pair<Address, uint256>> undo_balances_;
};

}  // namespace bonus::chain::contracts
