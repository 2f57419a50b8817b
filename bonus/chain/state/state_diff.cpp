// From a journal to a state root: storage tries first, then the account trie (both secure: keys are hashed).
#include "bonus/chain/state/state_diff.hpp"

#include <map>

#include "bonus/chain/state/records.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {
namespace {

Bytes trie_value(const uint256& value) {
  if (value.is_zero()) return {};
  rlp::Encoder e;
  e.number(value);
  return e.take();
}

using SlotList = std::vector<const Journal::SlotEntry*>;

Result<Hash32> update_storage(const NodeSource& nodes, const Address& contract, const Hash32& root,
                              const SlotList& changes, NewNodes& out) {
  Trie trie(&nodes, root, storage_trie(contract));
  for (const auto* slot : changes) TRY(trie.put(crypto::keccak256(slot->key.slot.to_be()), trie_value(slot->now)));
  return trie.commit(out);
}

/// The account as it is to be stored, with its new storage root.
Result<Account> final_account(const Journal::AccountEntry& entry, const SlotList* changes, const NodeSource& nodes,
                              NewNodes& out) {
  Account after = entry.now;
  if (changes == nullptr && !entry.storage_wiped) return after;
  if (is_missing(after)) {
    if (changes == nullptr || entry.storage_wiped) return after;
    after.storage_root = kEmptyTrieRoot;
    after.code_hash = kEmptyCodeHash;
  }
  const Hash32 root = entry.storage_wiped ? kEmptyTrieRoot : after.storage_root;
  after.storage_root = root;
  if (changes != nullptr) {
    TRY_ASSIGN(after.storage_root, update_storage(nodes, entry.address, root, *changes, out));
  }
  return after;
}

}  // namespace

Result<StateDiff> make_diff(const Journal& journal, const NodeSource& nodes, const Hash32& parent_root) {
  StateDiff out;
  std::map<Address, SlotList> by_contract;  // Ordered: the order of writes must not depend on a hash table.
  journal.slots().for_each([&](const Journal::SlotEntry& slot) {
    const bool wiped = journal.entry(slot.key.contract).storage_wiped;
    if (slot.before != slot.now) out.slots.emplace(slot.key, StateDiff::SlotChange{slot.before, slot.now});
    // In a wiped trie even an unchanged value is new.
    if (slot.before != slot.now || (wiped && !slot.now.is_zero())) by_contract[slot.key.contract].push_back(&slot);
  });
  std::map<Address, const Journal::AccountEntry*> changed;
  journal.accounts().for_each([&](const Journal::AccountEntry& entry) {
    if (by_contract.contains(entry.address) || entry.storage_wiped || !same(entry.before, entry.now))
      changed.emplace(entry.address, &entry);
  });
  out.accounts.reserve(changed.size());
  Trie trie(&nodes, parent_root);
  for (const auto& [address, entry] : changed) {
    const auto slots = by_contract.find(address);
    TRY_ASSIGN(const Account after,
               final_account(*entry, slots == by_contract.end() ? nullptr : &slots->second, nodes, out.nodes));
    if (entry->storage_wiped && !is_missing(entry->before) && entry->before.storage_root != kEmptyTrieRoot)
      out.wiped.push_back(address);
    if (same(entry->before, after)) continue;
    if (entry->code_changed && has_code(after)) out.codes.emplace_back(after.code_hash, entry->code);
    TRY(trie.put(crypto::keccak256(address), is_missing(after) ? Bytes{} : encode_account(after)));
    out.accounts.emplace(address, StateDiff::AccountChange{entry->before, after});
  }
  out.root = trie.commit(out.nodes);
  return out;
}

Result<> check_storable(const StateDiff& diff) {
  if (diff.wiped.empty()) return {};
  return fail(ErrorCode::kInternal, to_hex0x(diff.wiped.front()) +
                                        " self-destructed although it had storage before the block: the rules in force "
                                        "forbid it, and the tables of the state cannot follow");
}

}  // namespace bonus::chain::state
