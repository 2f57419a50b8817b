// Views of states in a store of nodes.
#include "bonus/chain/eth/nodes.hpp"

#include <fmt/format.h>

#include "bonus/chain/state/records.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

using Table = std::unordered_map<Hash32, std::shared_ptr<const Bytes>>;

Result<std::shared_ptr<const Bytes>> find(const Table& table, const Hash32& hash, const char* what) {
  const auto found = table.find(hash);
  if (found != table.end()) return found->second;
  return fail(ErrorCode::kCorrupt, fmt::format("missing {} {}", what, to_hex0x(hash)));
}

}  // namespace

Result<state::StoredNode> MemoryNodes::node(BytesView /*place*/, const Hash32& hash) const {
  TRY_ASSIGN(auto rlp, find(nodes_, hash, "trie node"));
  return state::StoredNode{.rlp = std::move(rlp), .version = 0};
}

Result<std::shared_ptr<const Bytes>> MemoryNodes::code(const Hash32& hash) const { return find(codes_, hash, "code"); }

void MemoryNodes::add(const state::StateDiff& diff) {
  for (const auto& made : diff.nodes.made) nodes_.try_emplace(made.hash, std::make_shared<const Bytes>(made.rlp));
  for (const auto& [hash, code] : diff.codes) codes_.try_emplace(hash, code);
}

Account NodeView::account(const Address& address) const {
  if (const auto known = seen_.find(address); known != seen_.end()) return known->second;
  const auto raw = accounts_.get(crypto::keccak256(address));
  if (!raw) {
    remember(raw.error());
    return {};
  }
  Account out;
  if (!raw->empty()) {
    auto decoded = state::decode_account(*raw);
    if (!decoded) {
      remember(std::move(decoded).error());
      return {};
    }
    out = *decoded;
  }
  seen_.emplace(address, out);
  return out;
}

uint256 NodeView::storage(const SlotKey& key) const {
  const Account owner = account(key.contract);
  if (is_missing(owner) || owner.storage_root == kEmptyTrieRoot) return {};
  auto& trie =
      storage_.try_emplace(key.contract, &nodes_, owner.storage_root, state::storage_trie(key.contract)).first->second;
  const auto raw = trie.get(crypto::keccak256(key.slot.to_be()));
  if (!raw) {
    remember(raw.error());
    return {};
  }
  if (raw->empty()) return {};
  auto value = state::decode_slot_trie_value(*raw);
  if (!value) {
    remember(std::move(value).error());
    return {};
  }
  return *value;
}

std::shared_ptr<const Bytes> NodeView::code(const Hash32& code_hash) const {
  if (code_hash == kEmptyCodeHash || code_hash.is_zero()) return std::make_shared<const Bytes>();
  auto found = nodes_.code(code_hash);
  if (found) return *std::move(found);
  remember(std::move(found).error());
  return std::make_shared<const Bytes>();
}

}  // namespace bonus::chain::eth
