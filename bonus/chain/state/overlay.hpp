// The changes of one execution on top of a StateView, with a journal: snapshot and revert.
#pragma once

#include <unordered_map>
#include <variant>
#include <vector>

#include "bonus/chain/state/state_view.hpp"

namespace bonus::chain::state {

/// Not thread-safe. `base` must outlive it.
class Overlay {
 public:
  explicit Overlay(const StateView& base) : base_(base) {}

  [[nodiscard]] Account account(const Address& address) const;
  [[nodiscard]] uint256 storage(const SlotKey& key) const {
    if (!storage_.empty()) {
      if (const auto found = storage_.find(key); found != storage_.end()) return found->second.after;
    }
    return base_.storage(key);
  }
  void set_storage(const SlotKey& key, const uint256& value);
  void set_nonce(const Address& address, std::uint64_t nonce);
  void set_balance(const Address& address, const uint256& balance);
  void set_code_hash(const Address& address, const Hash32& code_hash);
  /// kExhausted when `from` has less. Wei is moved, never made: the receiver cannot overflow as the supply fits 256
  /// bits.
  [[nodiscard]] Result<> transfer(const Address& from, const Address& to, const uint256& amount);
  void emit(Log log) { logs_.push_back(std::move(log)); }
  /// The logs since the last call.
  [[nodiscard]] std::vector<Log> take_logs() { return std::exchange(logs_, {}); }

  struct Snapshot {
    std::size_t journal = 0, logs = 0;
  };
  [[nodiscard]] Snapshot snapshot() const { return {journal_.size(), logs_.size()}; }
  /// Undoes everything since the snapshot, newest first.
  void revert(const Snapshot& to);
  /// Forgets the journal: what was done so far can no longer be reverted.
  void seal() { journal_.clear(); }

  struct AccountChange {
    Account before, after;
  };
  struct SlotChange {
    uint256 before, after;
  };
  using Accounts = std::unordered_map<Address, AccountChange>;
  using Slots = std::unordered_map<SlotKey, SlotChange, CacheHasher>;
  /// All accounts read or written, all slots written; `before` is the base's value.
  [[nodiscard]] const Accounts& accounts() const { return accounts_; }
  [[nodiscard]] const Slots& slots() const { return storage_; }
  [[nodiscard]] const StateView& base() const { return base_; }

 private:
  struct AccountUndo {
    Address address;
    Account value;
  };
  struct SlotUndo {
    SlotKey key;
    uint256 value;
  };
  Account& touch(const Address& address);  ///< Journals the account and returns it for change.

  const StateView& base_;
  mutable Accounts accounts_;
  Slots storage_;
  std::vector<std::variant<AccountUndo, SlotUndo>> journal_;
  std::vector<Log> logs_;
};

}  // namespace bonus::chain::state
