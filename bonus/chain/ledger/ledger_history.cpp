// What older states need: values and trie nodes that later blocks replaced, kept for a bounded number of blocks.
#include <fmt/format.h>

#include <algorithm>

#include "bonus/chain/ledger/ledger_impl.hpp"
#include "bonus/chain/state/records.hpp"

namespace bonus::chain::ledger {
namespace {

constexpr std::string_view kFirstHistoryKey = "first_history";
constexpr std::string_view kFirstTrieKey = "first_trie";
/// After a shorter retention was chosen, pruning catches up by so many blocks with each new one.
constexpr std::uint64_t kMaxPrunedBlocks = 16;
/// Changes that are brought back to memory on opening; older recent states are read through the history tables.
constexpr std::size_t kMaxReloaded = 200'000;

/// The oldest of `keeps` states, the head's included; 0 keeps all.
std::uint64_t oldest_kept(std::uint64_t head, std::uint64_t keeps) {
  return keeps == 0 || head < keeps ? 0 : head - keeps + 1;
}

Bytes account_history_key(const Address& address, BytesView number) {
  Bytes out(address.bytes.begin(), address.bytes.end());
  append(out, number);
  return out;
}
Bytes slot_history_key(const SlotKey& key, BytesView number) {
  Bytes out = slot_record_key(key);
  append(out, number);
  return out;
}

}  // namespace

/// The new state: trie nodes, flat tables, and what the block replaced in both. Keys are added in order, as far as that
/// is cheap: an ordered run goes into a table several times as fast.
void LedgerImpl::add_state(const ExecutedBlock& executed, Batch& out) {
  const StateDiff& diff = executed.diff;
  const std::uint64_t block = executed.block.header.number;
  const Bytes number = number_key(block);
  const bool has_past = block > 0;  // There is no state before the genesis.

  std::vector<const NewNodes::Made*> nodes;
  nodes.reserve(diff.nodes.made.size());
  for (const auto& node : diff.nodes.made) nodes.push_back(&node);
  std::ranges::sort(nodes, {}, [](const NewNodes::Made* node) -> const Bytes& { return node->place; });
  for (const auto* node : nodes) out.put(Table::kTrie, node_record_key(node->place, block), node->rlp);
  if (has_past && !diff.nodes.replaced.empty())
    out.put(Table::kReplaced, number, encode_replaced_record(diff.nodes.replaced));

  ChangesRecord keys;
  keys.accounts.reserve(diff.accounts.size());
  for (const auto& [address, change] : diff.accounts) keys.accounts.push_back(address);
  keys.slots.reserve(diff.slots.size());
  for (const auto& [key, change] : diff.slots) keys.slots.push_back(key);
  sort_changes(keys);
  for (const Address& address : keys.accounts) {
    const auto& [before, after] = diff.accounts.at(address);
    if (is_missing(after)) {
      out.erase(Table::kAccounts, address);
    } else {
      out.put(Table::kAccounts, address, encode_account(after));
    }
    if (has_past)
      out.put(Table::kAccountHistory, account_history_key(address, number),
              is_missing(before) ? Bytes{} : encode_account(before));
  }
  for (const SlotKey& key : keys.slots) {
    const auto& [before, after] = diff.slots.at(key);
    if (after.is_zero()) {
      out.erase(Table::kStorage, slot_record_key(key));
    } else {
      out.put(Table::kStorage, slot_record_key(key), encode_slot_value(after));
    }
    if (has_past) out.put(Table::kStorageHistory, slot_history_key(key, number), encode_slot_value(before));
  }
  if (has_past) out.put(Table::kChanges, number, encode_changes_record(keys));
}

Result<> LedgerImpl::load_pruning() {
  const auto load = [&](std::string_view key, std::atomic<std::uint64_t>& out) -> Result<> {
    TRY_ASSIGN(const auto stored, store_->get(Table::kMeta, as_bytes(key)));
    if (!stored) return {};
    std::uint64_t number = 0;
    for (const std::uint8_t b : *stored) number = number << 8 | b;
    if (stored->size() != 8 || number > head_info()->header.number)
      return fail(ErrorCode::kCorrupt, fmt::format("ledger: the record {} is damaged", key));
    out = number;
    return {};
  };
  TRY(load(kFirstHistoryKey, first_history_));
  return load(kFirstTrieKey, first_trie_);
}

/// The undo of the last blocks, as it was in memory before the restart.
Result<> LedgerImpl::load_recent() {
  const std::uint64_t head = head_info()->header.number;
  std::size_t loaded = 0;
  for (std::uint64_t block = head; block > first_history_ && head - block < options_.recent_states; --block) {
    const Bytes number = number_key(block);
    TRY_ASSIGN(const auto record, store_->get(Table::kChanges, number));
    if (!record) return fail(ErrorCode::kCorrupt, fmt::format("ledger: the changes of block {} are missing", block));
    TRY_ASSIGN(const ChangesRecord keys, decode_changes_record(*record));
    loaded += keys.accounts.size() + keys.slots.size();
    if (loaded > kMaxReloaded) return {};
    auto diff = std::make_shared<StateDiff>();  // Shared: see Undo. Only `before` is ever asked of it.
    const auto before = [&](Table table, const Bytes& key) -> Result<Bytes> {
      TRY_ASSIGN(auto value, store_->get(table, key));
      if (!value) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("ledger: what block {} changed at {} is missing", block, to_hex0x(key)));
      }
      return *std::move(value);
    };
    for (const Address& address : keys.accounts) {
      TRY_ASSIGN(const Bytes value, before(Table::kAccountHistory, account_history_key(address, number)));
      StateDiff::AccountChange& change = diff->accounts[address];
      if (value.empty()) continue;
      TRY_ASSIGN(change.before, decode_account(value));
    }
    for (const SlotKey& key : keys.slots) {
      TRY_ASSIGN(const Bytes value, before(Table::kStorageHistory, slot_history_key(key, number)));
      diff->slots[key].before = uint256::from_be(value);
    }
    recent_.push_front(std::move(diff));
  }
  return {};
}

/// Nodes that block `first` replaced: only states before it need them.
Result<> LedgerImpl::prune_trie(std::uint64_t first, Batch& out) {
  const Bytes number = number_key(first);
  TRY_ASSIGN(const auto record, store_->get(Table::kReplaced, number));
  if (!record) return {};
  TRY_ASSIGN(const auto replaced, decode_replaced_record(*record));
  for (const auto& node : replaced) out.erase(Table::kTrie, node_record_key(node.place, node.version));
  out.erase(Table::kReplaced, number);
  return {};
}

/// Values that block `first` replaced.
Result<> LedgerImpl::prune_history(std::uint64_t first, Batch& out) {
  const Bytes number = number_key(first);
  TRY_ASSIGN(const auto record, store_->get(Table::kChanges, number));
  if (!record) return {};
  TRY_ASSIGN(const auto keys, decode_changes_record(*record));
  for (const Address& address : keys.accounts) out.erase(Table::kAccountHistory, account_history_key(address, number));
  for (const SlotKey& key : keys.slots) out.erase(Table::kStorageHistory, slot_history_key(key, number));
  out.erase(Table::kChanges, number);
  return {};
}

Result<> LedgerImpl::prune() {
  const std::uint64_t head = head_info()->header.number;
  Batch batch;
  const auto advance = [&](std::string_view key, const std::atomic<std::uint64_t>& first, std::uint64_t keeps,
                           auto prune_block) -> Result<std::uint64_t> {
    const std::uint64_t from = first;
    const std::uint64_t to = std::min(oldest_kept(head, keeps), from + kMaxPrunedBlocks);
    for (std::uint64_t block = from + 1; block <= to; ++block) TRY((this->*prune_block)(block, batch));
    if (to > from) batch.put(Table::kMeta, as_bytes(key), number_key(to));
    return std::max(from, to);
  };
  TRY_ASSIGN(const auto trie, advance(kFirstTrieKey, first_trie_, options_.trie_blocks, &LedgerImpl::prune_trie));
  TRY_ASSIGN(const auto history,
             advance(kFirstHistoryKey, first_history_, options_.history_blocks, &LedgerImpl::prune_history));
  if (batch.empty()) return {};
  // A reader that asks from now on is told; one that asked before holds a snapshot.
  first_trie_ = trie;
  first_history_ = history;
  // Not synchronised: after a crash it is done again.
  return store_->write(batch, false);
}

/// Tools look for geth's words ("missing trie node", "state ... is not available").
Error LedgerImpl::pruned(std::uint64_t number, std::uint64_t first, std::uint64_t keeps) const {
  const auto stored = load_block(number);
  const std::string root = stored ? to_hex0x((*stored)->block.header.state_root) : std::string("unknown");
  return {ErrorCode::kNotFound,
          fmt::format("missing trie node {} (path ) state {} is not available: state of block {} is pruned: this node "
                      "keeps the last {} (from block {})",
                      root.substr(std::min<std::size_t>(2, root.size())), root, number, keeps, first)};
}

}  // namespace bonus::chain::ledger
