// Proofs and searches.
#include "bonus/chain/state/searches.hpp"

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {
namespace {

bool bloom_matches(const LogFilter& filter, const Bloom& bloom) {
  const auto any = [&](const auto& values) {
    return values.empty() || std::ranges::any_of(values, [&](const auto& v) { return bloom_may_contain(bloom, v); });
  };
  return any(filter.addresses) && std::ranges::all_of(filter.topics, any);
}

}  // namespace

Result<StateProof> make_proof(const NodeSource& nodes, const Hash32& root, const Address& address,
                              const std::vector<uint256>& slots) {
  const Trie accounts(&nodes, root);
  StateProof out;
  const Hash32 key = crypto::keccak256(address);
  TRY_ASSIGN(out.nodes, accounts.prove(key));
  TRY_ASSIGN(const Bytes record, accounts.get(key));
  if (!record.empty()) {
    TRY_ASSIGN(out.account, decode_account(record));
  }
  const Trie storage(&nodes, record.empty() ? kEmptyTrieRoot : out.account.storage_root, storage_trie(address));
  for (const uint256& slot : slots) {
    StateProof::Slot& item = out.slots.emplace_back();
    item.slot = slot;
    const Hash32 slot_key = crypto::keccak256(slot.to_be());
    TRY_ASSIGN(item.nodes, storage.prove(slot_key));
    TRY_ASSIGN(const Bytes value, storage.get(slot_key));
    if (value.empty()) continue;
    TRY_ASSIGN(item.value, decode_slot_trie_value(value));
  }
  return out;
}

Result<std::vector<std::uint64_t>> blocks_with_logs(const Store& store, const LogFilter& filter) {
  std::vector<std::uint64_t> out;
  TRY(store.scan(Table::kBlooms, number_key(filter.from_block), [&](BytesView key, BytesView value) -> Result<bool> {
    std::uint64_t number = 0;
    for (const std::uint8_t b : key) number = number << 8 | b;
    if (number > filter.to_block) return false;
    TRY_ASSIGN(const Bloom bloom, Bloom::from(value));
    if (bloom_matches(filter, bloom)) out.push_back(number);
    return true;
  }));
  return out;
}

}  // namespace bonus::chain::state
