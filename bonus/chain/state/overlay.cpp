// Journaled state overlay.
#include "bonus/chain/state/overlay.hpp"

#include <fmt/format.h>

namespace bonus::chain::state {

Account Overlay::account(const Address& address) const {
  if (const auto found = accounts_.find(address); found != accounts_.end()) return found->second.after;
  const Account loaded = base_.account(address);
  accounts_.emplace(address, AccountChange{loaded, loaded});
  return loaded;
}

Account& Overlay::touch(const Address& address) {
  auto found = accounts_.find(address);
  if (found == accounts_.end()) {
    const Account loaded = base_.account(address);
    found = accounts_.emplace(address, AccountChange{loaded, loaded}).first;
  }
  Account& value = found->second.after;
  journal_.emplace_back(AccountUndo{address, value});
  if (is_missing(value)) {
    value.storage_root = kEmptyTrieRoot;
    value.code_hash = kEmptyCodeHash;
  }
  return value;
}

void Overlay::set_storage(const SlotKey& key, const uint256& value) {
  auto found = storage_.find(key);
  if (found == storage_.end()) {
    const uint256 before = base_.storage(key);
    if (before == value) return;
    found = storage_.emplace(key, SlotChange{before, before}).first;
  }
  if (found->second.after == value) return;
  journal_.emplace_back(SlotUndo{key, found->second.after});
  found->second.after = value;
}

void Overlay::set_nonce(const Address& address, std::uint64_t nonce) { touch(address).nonce = nonce; }

void Overlay::set_balance(const Address& address, const uint256& balance) { touch(address).balance = balance; }

void Overlay::set_code_hash(const Address& address, const Hash32& code_hash) { touch(address).code_hash = code_hash; }

Result<> Overlay::transfer(const Address& from, const Address& to, const uint256& amount) {
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

void Overlay::revert(const Snapshot& to) {
  while (journal_.size() > to.journal) {
    if (const auto* undo = std::get_if<AccountUndo>(&journal_.back())) {
      accounts_.find(undo->address)->second.after = undo->value;
    } else {
      const auto& slot = std::get<SlotUndo>(journal_.back());
      storage_.find(slot.key)->second.after = slot.value;
    }
    journal_.pop_back();
  }
  logs_.resize(to.logs);
}

}  // namespace bonus::chain::state
