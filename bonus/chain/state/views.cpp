// State views over the store.
#include "bonus/chain/state/views.hpp"

#include "bonus/chain/state/records.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {

Result<StoredNode> StoredNodes::node(BytesView place, const Hash32& hash, std::uint64_t number, const StoreSnapshot* at,
                                     bool newest) const {
  std::shared_ptr<const Cached> cached;
  if (cache_.find(hash, cached) && std::ranges::equal(cached->place, place)) return cached->stored;
  TRY_ASSIGN(auto entry, store_.next(Table::kTrie, node_record_key(place, number), at));
  if (!entry) return fail(ErrorCode::kCorrupt, "missing trie node " + to_hex0x(hash) + " at " + to_hex(place));
  if (crypto::keccak256(entry->value) != hash) {
    return fail(ErrorCode::kCorrupt,
                "trie node at " + to_hex(place) + " does not hash to " + to_hex0x(hash) + ", which its parent names");
  }
  StoredNode out{std::make_shared<const Bytes>(std::move(entry->value)), node_record_version(entry->key)};
  if (newest) {
    cache_.insert(hash, std::make_shared<const Cached>(Bytes(place.begin(), place.end()), out));
  }
  return out;
}

void StoredNodes::remember(NewNodes::Made made, std::uint64_t version) {
  cache_.insert(made.hash,
                std::make_shared<const Cached>(
                    std::move(made.place), StoredNode{std::make_shared<const Bytes>(std::move(made.rlp)), version}));
}

Result<std::shared_ptr<const Bytes>> StoredCodes::code(const Hash32& hash) const {
  if (hash == kEmptyCodeHash) return std::make_shared<const Bytes>();
  std::shared_ptr<const Bytes> cached;
  if (cache_.find(hash, cached)) return cached;
  TRY_ASSIGN(auto stored, store_.get(Table::kCode, hash));
  if (!stored) return fail(ErrorCode::kCorrupt, "contract code " + to_hex0x(hash) + " is missing");
  if (crypto::keccak256(*stored) != hash)
    return fail(ErrorCode::kCorrupt, "contract code " + to_hex0x(hash) + " does not hash to its name");
  auto shared = std::make_shared<const Bytes>(*std::move(stored));
  cache_.insert(hash, shared);
  return shared;
}

std::shared_ptr<const Bytes> HeadView::code(const Hash32& code_hash) const {
  auto found = codes_.code(code_hash);
  if (found) return *std::move(found);
  remember(std::move(found).error());
  return std::make_shared<const Bytes>();
}

std::shared_ptr<const Bytes> TrieView::code(const Hash32& code_hash) const {
  auto found = codes_.code(code_hash);
  if (found) return *std::move(found);
  remember(std::move(found).error());
  return std::make_shared<const Bytes>();
}

Account HeadView::account(const Address& address) const {
  for (const auto& diff : undo_)
    if (const auto found = diff->accounts.find(address); found != diff->accounts.end()) return found->second.before;
  Account out;
  if (caches_.accounts.find(address, out)) return out;
  return read_account(address);
}

Account HeadView::read_account(const Address& address) const {
  auto stored = store_.get(Table::kAccounts, address, at_);
  if (!stored) {
    remember(std::move(stored).error());
    return {};
  }
  Account out;
  if (*stored) {
    auto decoded = decode_account(**stored);
    if (!decoded) {
      remember(std::move(decoded).error());
      return {};
    }
    out = *decoded;
  }
  caches_.accounts.insert(address, out);
  return out;
}

uint256 HeadView::storage(const SlotKey& key) const {
  for (const auto& diff : undo_)
    if (const auto found = diff->slots.find(key); found != diff->slots.end()) return found->second.before;
  uint256 out;
  if (memo_.find(caches_.slots, key, out)) return out;
  return read_slot(key);
}

uint256 HeadView::read_slot(const SlotKey& key) const {
  auto stored = store_.get(Table::kStorage, slot_record_key(key), at_);
  if (!stored) {
    remember(std::move(stored).error());
    return {};
  }
  const uint256 out = *stored ? uint256::from_be(**stored) : uint256();
  caches_.slots.insert(key, out);
  memo_.add(key, out);
  return out;
}

Result<std::optional<Bytes>> HistoryView::record(Table history, Table flat, BytesView key) const {
  Bytes from(key.begin(), key.end());
  append(from, number_key(number_ + 1));
  TRY_ASSIGN(auto entry, store_.next(history, from, at_));
  if (!entry) return store_.get(flat, key, at_);
  if (entry->value.empty()) return std::optional<Bytes>();
  return std::optional(std::move(entry->value));
}

Account HistoryView::account(const Address& address) const {
  auto stored = record(Table::kAccountHistory, Table::kAccounts, address);
  if (!stored) {
    remember(std::move(stored).error());
    return {};
  }
  if (!*stored) return {};
  auto decoded = decode_account(**stored);
  if (!decoded) {
    remember(std::move(decoded).error());
    return {};
  }
  return *decoded;
}

uint256 HistoryView::storage(const SlotKey& key) const {
  auto stored = record(Table::kStorageHistory, Table::kStorage, slot_record_key(key));
  if (!stored) {
    remember(std::move(stored).error());
    return {};
  }
  return *stored ? uint256::from_be(**stored) : uint256();
}

std::shared_ptr<const Bytes> HistoryView::code(const Hash32& code_hash) const {
  auto found = codes_.code(code_hash);
  if (found) return *std::move(found);
  remember(std::move(found).error());
  return std::make_shared<const Bytes>();
}

Account TrieView::account(const Address& address) const {
  auto raw = accounts_.get(crypto::keccak256(address));
  if (!raw) {
    remember(std::move(raw).error());
    return {};
  }
  if (raw->empty()) return {};
  auto decoded = decode_account(*raw);
  if (!decoded) {
    remember(std::move(decoded).error());
    return {};
  }
  return *decoded;
}

uint256 TrieView::storage(const SlotKey& key) const {
  auto trie = storage_.find(key.contract);
  if (trie == storage_.end()) {
    const Account owner = account(key.contract);
    trie = storage_
               .emplace(key.contract, Trie(&nodes_, is_missing(owner) ? kEmptyTrieRoot : owner.storage_root,
                                           storage_trie(key.contract)))
               .first;
  }
  auto raw = trie->second.get(crypto::keccak256(key.slot.to_be()));
  if (!raw) {
    remember(std::move(raw).error());
    return {};
  }
  if (raw->empty()) return {};
  auto value = decode_slot_trie_value(*raw);
  if (!value) {
    remember(std::move(value).error());
    return {};
  }
  return *value;
}

}  // namespace bonus::chain::state
