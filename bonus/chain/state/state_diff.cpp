// From an overlay to a state root: storage tries first, then the account trie (both secure: keys are hashed).
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

using SlotsOf = std::map<Address, std::vector<const Overlay::Slots::value_type*>>;

Result<Hash32> update_storage(const NodeSource& nodes, const Hash32& root,
                              const std::vector<const Overlay::Slots::value_type*>& changes, NewNodes& out) {
  Trie trie(&nodes, root);
  for (const auto* change : changes)
    TRY(trie.put(crypto::keccak256(change->first.slot.to_be()), trie_value(change->second.after)));
  return trie.commit(out);
}

}  // namespace

Result<StateDiff> make_diff(const Overlay& overlay, const NodeSource& nodes, const Hash32& parent_root) {
  StateDiff out;
  SlotsOf by_contract;
  for (const auto& change : overlay.slots()) {
    if (change.second.before == change.second.after) continue;
    const auto& stored = *out.slots.insert(change).first;
    by_contract[stored.first.contract].push_back(&stored);
  }
  for (const auto& [address, change] : overlay.accounts()) {
    if (!by_contract.contains(address) && same(change.before, change.after)) continue;
    out.accounts.emplace(address, change);
  }
  for (const auto& [address, changes] : by_contract) {
    auto found = out.accounts.find(address);
    if (found == out.accounts.end()) {
      const Account before = overlay.base().account(address);
      found = out.accounts.emplace(address, Overlay::AccountChange{before, before}).first;
    }
    Account& after = found->second.after;
    if (is_missing(after)) {
      after.storage_root = kEmptyTrieRoot;
      after.code_hash = kEmptyCodeHash;
    }
    TRY_ASSIGN(after.storage_root, update_storage(nodes, after.storage_root, changes, out.nodes));
  }
  Trie trie(&nodes, parent_root);
  for (auto it = out.accounts.begin(); it != out.accounts.end();) {
    Account& after = it->second.after;
    // EIP-161: empty accounts do not exist. Only system contracts own storage, and their nonce is 1.
    if (is_empty(after) && (is_missing(after) || after.storage_root == kEmptyTrieRoot)) after = Account{};
    if (same(it->second.before, after)) {
      it = out.accounts.erase(it);
      continue;
    }
    TRY(trie.put(crypto::keccak256(it->first), is_missing(after) ? Bytes{} : encode_account(after)));
    ++it;
  }
  out.root = trie.commit(out.nodes);
  return out;
}

}  // namespace bonus::chain::state
