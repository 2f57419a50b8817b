// Journaled state.
#include "bonus/chain/state/journal.hpp"

#include <fmt/format.h>

namespace bonus::chain::state {
namespace {

constexpr Address kRipemd160{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}};

}  // namespace

std::uint32_t Journal::account_place(const Address& address) const {
  const std::uint64_t hash = cache_hash(address);
  const std::uint32_t found =
      account_index_.find(hash, [&](std::uint32_t place) { return accounts_[place].address == address; });
  if (found != FlatIndex::kNone) return found;
  const Account before = base_.account(address);
  AccountEntry& made = accounts_.append();
  made.address = address;
  made.before = before;
  made.now = before;
  const std::uint32_t place = accounts_.size() - 1;
  account_index_.insert(hash, place, [&](std::uint32_t at) { return cache_hash(accounts_[at].address); });
  return place;
}

std::uint32_t Journal::slot_place(const SlotKey& key) const {
  const std::uint64_t hash = cache_hash(key);
  const std::uint32_t found = slot_index_.find(hash, [&](std::uint32_t place) { return slots_[place].key == key; });
  if (found != FlatIndex::kNone) {
    SlotEntry& slot = slots_[found];
    if (slot.original_tx != tx_) {
      slot.original = slot.now;
      slot.original_tx = tx_;
    }
    return found;
  }
  const uint256 before = base_.storage(key);
  SlotEntry& made = slots_.append();
  made.key = key;
  made.before = before;
  if (!find_account(key.contract).storage_wiped) made.now = before;
  made.original = made.now;
  made.original_tx = tx_;
  const std::uint32_t place = slots_.size() - 1;
  slot_index_.insert(hash, place, [&](std::uint32_t at) { return cache_hash(slots_[at].key); });
  return place;
}

uint256 Journal::transient(const SlotKey& key) const {
  const std::uint32_t found =
      transient_index_.find(cache_hash(key), [&](std::uint32_t place) { return transient_[place].key == key; });
  return found == FlatIndex::kNone ? uint256() : transient_[found].now;
}

Journal::Code Journal::code(const Address& address) const {
  AccountEntry& entry = find_account(address);
  if (entry.code) return entry.code;
  if (!has_code(entry.now)) {
    static const Code kNothing = std::make_shared<const Bytes>();  // Shared: see Code.
    return kNothing;
  }
  entry.code = base_.code(entry.now.code_hash);
  return entry.code;
}

bool Journal::is_occupied(const Address& address) const {
  const AccountEntry& entry = find_account(address);
  const Account& now = entry.now;
  return now.nonce != 0 || has_code(now) ||
         (!is_missing(now) && !entry.storage_wiped && now.storage_root != kEmptyTrieRoot);
}

Journal::AccountEntry& Journal::change(std::uint32_t place) {
  AccountEntry& entry = accounts_[place];
  if (is_missing(entry.now)) {
    record(What::kMaterialised, place);
    entry.now.storage_root = kEmptyTrieRoot;
    entry.now.code_hash = kEmptyCodeHash;
  }
  if (entry.touched_tx != tx_) {
    record(What::kTouched, place);
    entry.touched_tx = tx_;
    touched_.push_back(place);
  }
  return entry;
}

void Journal::touch(const Address& address) {
  const std::uint32_t place = account_place(address);
  if (address == kRipemd160 && is_empty(accounts_[place].now)) ripemd_touched_tx_ = tx_;
  (void)change(place);
}

void Journal::set_storage(const SlotKey& key, const uint256& value) {
  const std::uint32_t place = slot_place(key);
  SlotEntry& slot = slots_[place];
  if (slot.now == value) return;
  record(What::kSlot, place, slot.now);
  slot.now = value;
}

void Journal::set_transient(const SlotKey& key, const uint256& value) {
  const std::uint64_t hash = cache_hash(key);
  std::uint32_t place = transient_index_.find(hash, [&](std::uint32_t at) { return transient_[at].key == key; });
  if (place == FlatIndex::kNone) {
    transient_.append() = {key, {}};
    place = transient_.size() - 1;
    transient_index_.insert(hash, place, [&](std::uint32_t at) { return cache_hash(transient_[at].key); });
  }
  record(What::kTransient, place, transient_[place].now);
  transient_[place].now = value;
}

void Journal::set_nonce(const Address& address, std::uint64_t nonce) {
  const std::uint32_t place = account_place(address);
  AccountEntry& entry = change(place);
  record(What::kNonce, place, uint256(entry.now.nonce));
  entry.now.nonce = nonce;
}

void Journal::set_balance(const Address& address, const uint256& balance) {
  const std::uint32_t place = account_place(address);
  AccountEntry& entry = change(place);
  record(What::kBalance, place, entry.now.balance);
  entry.now.balance = balance;
}

void Journal::add_balance(const Address& address, const uint256& amount) {
  if (amount.is_zero()) {
    touch(address);
  } else {
    set_balance(address, account(address).balance + amount);
  }
}

void Journal::set_code(const Address& address, Bytes code, const Hash32& code_hash) {
  const std::uint32_t place = account_place(address);
  AccountEntry& entry = change(place);
  record(What::kCode, place, uint256(code_undo_.size()));
  code_undo_.push_back({entry.now.code_hash, entry.code, entry.code_changed});
  entry.now.code_hash = code_hash;
  entry.code = std::make_shared<const Bytes>(std::move(code));  // Shared: see Code.
  entry.code_changed = true;
}

void Journal::mark_created(const Address& address) {
  const std::uint32_t place = account_place(address);
  record(What::kCreated, place, uint256(accounts_[place].created_tx));
  accounts_[place].created_tx = tx_;
}

void Journal::wipe_storage(const Address& address) {
  touch(address);
  find_account(address).storage_wiped = true;
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].key.contract == address) slots_[i].now = slots_[i].original = {};
}

void Journal::mark_destructed(const Address& address) {
  const std::uint32_t place = account_place(address);
  if (accounts_[place].destructed_tx == tx_) return;
  record(What::kDestructed, place);
  accounts_[place].destructed_tx = tx_;
  destructed_.push_back(place);
}

Result<> Journal::transfer(const Address& from, const Address& to, const uint256& amount) {
  const uint256 available = account(from).balance;
  if (available < amount) {
    return fail(ErrorCode::kExhausted, fmt::format("insufficient balance for transfer: {} has {} wei, needs {}",
                                                   to_hex0x(from), available.to_decimal(), amount.to_decimal()));
  }
  if (amount.is_zero() || from == to) return {};
  uint256 sum;
  if (add_overflows(account(to).balance, amount, sum))
    return fail(ErrorCode::kInternal, "a balance would exceed 256 bits");
  set_balance(from, available - amount);
  set_balance(to, sum);
  return {};
}

bool Journal::warm(const Address& address) {
  const std::uint32_t place = account_place(address);
  AccountEntry& entry = accounts_[place];
  if (entry.warm_tx == tx_) return false;
  record(What::kWarmAccount, place);
  entry.warm_tx = tx_;
  return true;
}

bool Journal::warm(const SlotKey& key) {
  const std::uint32_t place = slot_place(key);
  SlotEntry& entry = slots_[place];
  if (entry.warm_tx == tx_) return false;
  record(What::kWarmSlot, place);
  entry.warm_tx = tx_;
  return true;
}

void Journal::undo(const Undo& item) {
  switch (item.what) {
    case What::kBalance:
      accounts_[item.index].now.balance = item.value;
      return;
    case What::kNonce:
      accounts_[item.index].now.nonce = item.value.low64();
      return;
    case What::kCode: {
      AccountEntry& entry = accounts_[item.index];
      CodeUndo& old = code_undo_.back();
      entry.now.code_hash = old.hash;
      entry.code = std::move(old.code);
      entry.code_changed = old.changed;
      code_undo_.pop_back();
      return;
    }
    case What::kMaterialised:
      accounts_[item.index].now = Account{};
      return;
    case What::kTouched:
      accounts_[item.index].touched_tx = 0;
      return;
    case What::kCreated:
      accounts_[item.index].created_tx = static_cast<std::uint32_t>(item.value.low64());
      return;
    case What::kDestructed:
      accounts_[item.index].destructed_tx = 0;
      return;
    case What::kWarmAccount:
      accounts_[item.index].warm_tx = 0;
      return;
    case What::kSlot:
      slots_[item.index].now = item.value;
      return;
    case What::kWarmSlot:
      slots_[item.index].warm_tx = 0;
      return;
    case What::kTransient:
      transient_[item.index].now = item.value;
      return;
  }
}

void Journal::revert(const Snapshot& to) {
  while (undo_.size() > to.undo) {
    undo(undo_.back());
    undo_.pop_back();
  }
  logs_.resize(to.logs);
  refund_ = to.refund;
}

void Journal::begin_transaction() {
  ++tx_;
  undo_.clear();
  code_undo_.clear();
  touched_.clear();
  destructed_.clear();
  transient_.clear();
  transient_index_.clear();
  refund_ = 0;
}

void Journal::end_transaction(bool clear_empty) {
  bool wiped = false;
  const auto remove = [&](AccountEntry& entry) {
    // Only an account that was there before, or that ran code in this block, can own slots.
    wiped = wiped || !is_missing(entry.before) || has_code(entry.now) || entry.created_tx != 0;
    entry.now = Account{};
    entry.code = nullptr;
    entry.code_changed = false;
    entry.storage_wiped = true;
  };
  for (const std::uint32_t place : destructed_)
    if (accounts_[place].destructed_tx == tx_) remove(accounts_[place]);
  if (clear_empty) {
    for (const std::uint32_t place : touched_) {
      AccountEntry& entry = accounts_[place];
      // An account can be empty and own storage only where a test says so; it goes with its storage (EIP-161).
      if (entry.touched_tx == tx_ && !is_missing(entry.now) && is_empty(entry.now)) remove(entry);
    }
    if (ripemd_touched_tx_ == tx_) {
      AccountEntry& entry = find_account(kRipemd160);
      if (!is_missing(entry.now) && is_empty(entry.now)) remove(entry);
    }
  }
  if (wiped) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (find_account(slots_[i].key.contract).storage_wiped && is_missing(find_account(slots_[i].key.contract).now))
        slots_[i].now = {};
    }
  }
  begin_transaction();
}

}  // namespace bonus::chain::state
