// The changes of one execution on top of a StateView: accounts, storage, transient storage, code, logs, warm sets and
// the refund counter, all undone together (Yellow Paper 6 and 9; EIP-161, 1153, 2200, 2929, 3529, 6780).
#pragma once

#include <memory>
#include <vector>

#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/state/flat_index.hpp"

namespace bonus::chain::state {

/// Not thread-safe. `base` must outlive it. References to entries stay valid as long as the journal.
class Journal {
 public:
  // Shared: frames, code caches and tracers hold the same immutable bytes.
  using Code = std::shared_ptr<const Bytes>;

  struct AccountEntry {
    Address address;
    Account now;
    Account before;  ///< The base's.
    Code code;       ///< Loaded on demand; null: not loaded yet.
    std::uint32_t warm_tx = 0, created_tx = 0, destructed_tx = 0,
                  touched_tx = 0;  ///< The transaction that did so last.
    bool storage_wiped = false;    ///< The base's slots do not count any more.
    bool code_changed = false;
  };
  struct SlotEntry {
    SlotKey key;
    uint256 now;
    uint256 before;    ///< The base's, also when the storage was wiped.
    uint256 original;  ///< When transaction `original_tx` began (EIP-2200).
    std::uint32_t original_tx = 0, warm_tx = 0;
  };

  explicit Journal(const StateView& base) : base_(base) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // --- reading
  [[nodiscard]] const AccountEntry& entry(const Address& address) const { return find_account(address); }
  [[nodiscard]] const Account& account(const Address& address) const { return find_account(address).now; }
  [[nodiscard]] bool exists(const Address& address) const { return !is_missing(account(address)); }
  [[nodiscard]] uint256 storage(const SlotKey& key) const { return find_slot(key).now; }
  [[nodiscard]] const SlotEntry& slot(const SlotKey& key) const { return find_slot(key); }
  [[nodiscard]] uint256 transient(const SlotKey& key) const;
  [[nodiscard]] Code code(const Address& address) const;
  /// EIP-7610: nonce, code or storage stand in the way of a new contract.
  [[nodiscard]] bool is_occupied(const Address& address) const;
  [[nodiscard]] bool created_in_transaction(const Address& address) const { return entry(address).created_tx == tx_; }
  [[nodiscard]] bool destructed_in_transaction(const Address& address) const {
    return entry(address).destructed_tx == tx_;
  }

  // --- changing; all of these are undone by revert()
  void set_storage(const SlotKey& key, const uint256& value);
  void set_transient(const SlotKey& key, const uint256& value);
  void set_nonce(const Address& address, std::uint64_t nonce);
  void set_balance(const Address& address, const uint256& balance);
  void add_balance(const Address& address, const uint256& amount);
  void set_code(const Address& address, Bytes code, const Hash32& code_hash);
  /// Brings a missing account into being; EIP-161 removes it at the end of the transaction if it stays empty.
  void touch(const Address& address);
  void mark_created(const Address& address);
  /// What the base stores for the account counts no more, nor what was stored since. Cannot be undone: for state
  /// overrides between transactions.
  void wipe_storage(const Address& address);
  /// The account goes away at the end of the transaction.
  void mark_destructed(const Address& address);
  /// kExhausted when `from` has less. Wei is moved, never made: the receiver cannot overflow as the supply fits 256
  /// bits.
  [[nodiscard]] Result<> transfer(const Address& from, const Address& to, const uint256& amount);
  void emit(Log log) { logs_.push_back(std::move(log)); }
  /// Marks as accessed; true when it was cold (EIP-2929).
  bool warm(const Address& address);
  bool warm(const SlotKey& key);
  void add_refund(std::int64_t gas) { refund_ += gas; }
  [[nodiscard]] std::int64_t refund() const { return refund_; }

  struct Snapshot {
    std::size_t undo = 0, logs = 0;
    std::int64_t refund = 0;
  };
  [[nodiscard]] Snapshot snapshot() const { return {undo_.size(), logs_.size(), refund_}; }
  /// Undoes everything since the snapshot, newest first.
  void revert(const Snapshot& to);

  // --- transactions
  /// What is done next belongs to a new transaction: nothing is warm, transient storage is empty, no refund.
  void begin_transaction();
  /// Removes self-destructed accounts, and with `clear_empty` (EIP-161) touched accounts that are empty. What was done
  /// can no longer be reverted.
  void end_transaction(bool clear_empty);
  [[nodiscard]] const std::vector<Log>& logs() const { return logs_; }
  /// The logs since the last call.
  [[nodiscard]] std::vector<Log> take_logs() { return std::exchange(logs_, {}); }

  // --- results
  [[nodiscard]] const StableList<AccountEntry>& accounts() const { return accounts_; }  ///< All read or written.
  [[nodiscard]] const StableList<SlotEntry>& slots() const { return slots_; }
  [[nodiscard]] const StateView& base() const { return base_; }

 private:
  enum class What : std::uint8_t {
    kBalance,
    kNonce,
    kCode,
    kMaterialised,
    kTouched,
    kCreated,
    kDestructed,
    kWarmAccount,
    kSlot,
    kWarmSlot,
    kTransient
  };
  struct Undo {
    What what;
    std::uint32_t index;  ///< Of the account, slot or transient entry.
    uint256 value;        ///< What was there; for kCode the place in code_undo_.
  };
  struct CodeUndo {
    Hash32 hash;
    Code code;
    bool changed;
  };
  struct TransientEntry {
    SlotKey key;
    uint256 now;
  };

  std::uint32_t account_place(const Address& address) const;
  std::uint32_t slot_place(const SlotKey& key) const;
  AccountEntry& find_account(const Address& address) const { return accounts_[account_place(address)]; }
  SlotEntry& find_slot(const SlotKey& key) const { return slots_[slot_place(key)]; }
  /// Makes the account exist and touched in this transaction.
  AccountEntry& change(std::uint32_t place);
  void record(What what, std::uint32_t index, const uint256& value = {}) { undo_.push_back({what, index, value}); }
  void undo(const Undo& item);

  const StateView& base_;
  std::uint32_t tx_ = 1;
  /// Since mainnet's block 2,675,119 a touch of the empty account 0x03 outlives the failure of the call that made it
  /// (EIP-161, "Addendum"): the transaction that touched it last.
  std::uint32_t ripemd_touched_tx_ = 0;
  std::int64_t refund_ = 0;
  mutable StableList<AccountEntry> accounts_;
  mutable FlatIndex account_index_;
  mutable StableList<SlotEntry> slots_;
  mutable FlatIndex slot_index_;
  StableList<TransientEntry> transient_;
  FlatIndex transient_index_;
  std::vector<std::uint32_t> touched_;  ///< Accounts of this transaction; may hold reverted ones.
  std::vector<std::uint32_t> destructed_;
  std::vector<Undo> undo_;
  std::vector<CodeUndo> code_undo_;
  std::vector<Log> logs_;
};

}  // namespace bonus::chain::state
