// Building, validating and committing blocks. One thread writes; build() and validate() may run beside readers.
#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/ledger/ledger_impl.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {
namespace {

/// Room for the header and list prefixes of a block.
constexpr std::size_t kBlockOverheadBytes = 4096;

std::unexpected<Error> bad(std::string_view field, std::string_view have, std::string_view want) {
  return fail(ErrorCode::kInvalid, fmt::format("block {}: it has {}, must be {}", field, have, want));
}
Result<> must_equal(std::string_view field, const Hash32& have, const Hash32& want) {
  if (have != want) return bad(field, to_hex0x(have), to_hex0x(want));
  return {};
}
Result<> must_equal(std::string_view field, std::uint64_t have, std::uint64_t want) {
  if (have != want) return bad(field, std::to_string(have), std::to_string(want));
  return {};
}

Hash32 commit_digest(BytesView last_commit) { return last_commit.empty() ? Hash32{} : crypto::keccak256(last_commit); }

struct Roots {
  Hash32 receipts;
  Bloom bloom;
};
Roots receipt_roots(const std::vector<Receipt>& receipts, const std::vector<Log>& system_logs) {
  Roots out;
  std::vector<Bytes> items;
  items.reserve(receipts.size());
  for (const Receipt& receipt : receipts) {
    items.push_back(receipt.encode());
    for (const Log& log : receipt.logs) add_to_bloom(out.bloom, log);
  }
  for (const Log& log : system_logs) add_to_bloom(out.bloom, log);
  out.receipts = ordered_root(items);
  return out;
}

/// The header's hash names one body only; a candidate vouches for exactly the body that was executed.
bool same_body(const Block& a, const Block& b) {
  return a.last_commit == b.last_commit &&
         std::ranges::equal(
             a.transactions, b.transactions, {}, [](const auto& tx) { return tx->hash; },
             [](const auto& tx) { return tx->hash; });
}

bool is_storage_error(const Error& error) { return error.code == ErrorCode::kIo || error.code == ErrorCode::kCorrupt; }

}  // namespace

Result<> LedgerImpl::check_header(const Block& block, const Head& head) const {
  const Header& h = block.header;
  if (h.number != head.header.number + 1 || h.parent_hash != head.hash) {
    return fail(ErrorCode::kConflict, fmt::format("block {} with parent {} does not follow the head {} {}", h.number,
                                                  to_hex0x(h.parent_hash), head.header.number, to_hex0x(head.hash)));
  }
  TRY(must_equal("sha3Uncles", h.ommers_hash, kEmptyOmmersHash));
  TRY(must_equal("gasLimit", h.gas_limit, genesis_.gas_limit));
  if (h.timestamp <= head.header.timestamp)
    return bad("timestamp", std::to_string(h.timestamp),
               fmt::format("later than its parent's {}", head.header.timestamp));
  if (const uint256 fee = next_base_fee(head.header, genesis_); h.base_fee != fee)
    return bad("baseFeePerGas", h.base_fee.to_decimal(), fee.to_decimal());
  if (h.nonce > UINT32_MAX) return bad("nonce", std::to_string(h.nonce), "a round of 32 bits");
  TRY_ASSIGN(const ExtraData extra, ExtraData::decode(h.extra_data));
  TRY(must_equal("validatorsHash", extra.validators_hash, genesis_.validators_hash()));
  TRY(must_equal("nextValidatorsHash", extra.next_validators_hash, genesis_.validators_hash()));
  TRY(must_equal("lastCommit", extra.last_commit, commit_digest(block.last_commit)));
  if (extra.proposer >= genesis_.bookkeepers.size())
    return bad("proposer", std::to_string(extra.proposer), fmt::format("below {}", genesis_.bookkeepers.size()));
  return {};
}

Result<StateDiff> LedgerImpl::state_diff(const Journal& journal, const Head& head) const {
  // Under the lock, so that the cache of nodes may learn from it.
  const NodesAt nodes(nodes_, head.header.number, head.snapshot.get(), true);
  TRY_ASSIGN(auto out, make_diff(journal, nodes, head.header.state_root));
  TRY(check_storable(out));
  return out;
}

Result<ExecutedBlock> LedgerImpl::execute(const Block& block, const Head& head) const {
  const HeadView view(*store_, codes_, head.snapshot.get(), caches_, {});
  BlockExecutor executor(view, registry_, context_of(block.header), programs_);
  ExecutedBlock out;
  out.block = block;
  out.receipts.reserve(block.transactions.size());
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    auto receipt = executor.apply(*block.transactions[i]);
    if (!receipt) {
      return fail(std::move(receipt).error().wrap(
          fmt::format("block transaction {} ({})", i, to_hex0x(block.transactions[i]->hash))));
    }
    out.receipts.push_back(*std::move(receipt));
  }
  executor.finish();
  TRY(executor.check_storage());
  out.system_logs = executor.system_logs();
  TRY_ASSIGN(out.diff, state_diff(executor.journal(), head));
  TRY(executor.check_storage());
  return out;
}

Result<std::shared_ptr<ExecutedBlock>> LedgerImpl::validated(const Block& block) {
  const Hash32 hash = block.header.hash();
  {
    const std::lock_guard lock(small_mutex_);
    for (const auto& candidate : candidates_) {
      if (candidate->hash == hash && candidate->block.header.parent_hash == head_->hash &&
          same_body(candidate->block, block))
        return candidate;
    }
  }
  const ReadLock lock = read_lock();
  const auto head = head_info();
  TRY(check_header(block, *head));
  std::vector<Bytes> items;
  std::size_t size = kBlockOverheadBytes + block.last_commit.size();
  for (const auto& tx : block.transactions) {
    items.push_back(tx->tx.encode());
    size += items.back().size() + 4;
  }
  // The same bound that build() keeps; a little below kMaxBlockBytes.
  if (size > kMaxBlockBytes)
    return bad("size", fmt::format("about {} bytes", size), fmt::format("at most {}", kMaxBlockBytes));
  TRY(must_equal("transactionsRoot", block.header.transactions_root, ordered_root(items)));

  TRY_ASSIGN(auto executed, execute(block, *head));
  const std::uint64_t gas = executed.receipts.empty() ? 0 : executed.receipts.back().cumulative_gas;
  TRY(must_equal("gasUsed", block.header.gas_used, gas));
  const Roots roots = receipt_roots(executed.receipts, executed.system_logs);
  TRY(must_equal("receiptsRoot", block.header.receipts_root, roots.receipts));
  if (block.header.logs_bloom != roots.bloom)
    return fail(ErrorCode::kInvalid, "block logsBloom: does not fit its logs");
  TRY(must_equal("stateRoot", block.header.state_root, executed.diff.root));
  executed.hash = hash;
  // Shared: commit() may take it while another validate() still compares against it.
  auto shared = std::make_shared<ExecutedBlock>(std::move(executed));
  remember_candidate(shared);
  return shared;
}

void LedgerImpl::remember_candidate(std::shared_ptr<ExecutedBlock> candidate) {
  const std::lock_guard lock(small_mutex_);
  candidates_.push_back(std::move(candidate));
  while (candidates_.size() > options_.candidates) candidates_.pop_front();
}

Result<Hash32> LedgerImpl::validate(const Block& block) {
  TRY_ASSIGN(auto executed, validated(block));
  return executed->hash;
}

Result<Block> LedgerImpl::build(const BuildInput& input) {
  const ReadLock lock = read_lock();
  const auto head = head_info();
  if (input.timestamp <= head->header.timestamp)
    return bad("timestamp", std::to_string(input.timestamp),
               fmt::format("later than its parent's {}", head->header.timestamp));

  ExecutedBlock executed;
  Block& block = executed.block;
  block.last_commit = input.last_commit;
  Header& h = block.header;
  h.parent_hash = head->hash;
  h.ommers_hash = kEmptyOmmersHash;
  h.beneficiary = input.beneficiary;
  h.number = head->header.number + 1;
  h.gas_limit = genesis_.gas_limit;
  h.timestamp = input.timestamp;
  h.prev_randao = input.randao;
  h.nonce = input.round;
  h.base_fee = next_base_fee(head->header, genesis_);
  ExtraData extra;
  extra.vrf_proof = input.vrf_proof;
  extra.validators_hash = genesis_.validators_hash();
  extra.next_validators_hash = extra.validators_hash;
  extra.last_commit = commit_digest(input.last_commit);
  extra.proposer = input.proposer;
  h.extra_data = extra.encode();

  const HeadView view(*store_, codes_, head->snapshot.get(), caches_, {});
  BlockExecutor executor(view, registry_, context_of(h), programs_);
  std::vector<Bytes> items;
  std::size_t size = kBlockOverheadBytes + input.last_commit.size();
  for (const TransactionPtr& tx : input.candidates) {
    if (h.gas_limit - executor.gas_used() < kTransactionGas) break;
    Bytes raw = tx->tx.encode();
    if (size + raw.size() + 4 > kMaxBlockBytes) continue;
    auto receipt = executor.apply(*tx);
    if (!receipt) {
      if (is_storage_error(receipt.error())) return fail(std::move(receipt).error());
      continue;
    }
    size += raw.size() + 4;
    executed.receipts.push_back(*std::move(receipt));
    block.transactions.push_back(tx);
    items.push_back(std::move(raw));
  }
  executor.finish();
  TRY(executor.check_storage());
  executed.system_logs = executor.system_logs();
  TRY_ASSIGN(executed.diff, state_diff(executor.journal(), *head));
  TRY(executor.check_storage());

  const Roots roots = receipt_roots(executed.receipts, executed.system_logs);
  h.transactions_root = ordered_root(items);
  h.receipts_root = roots.receipts;
  h.logs_bloom = roots.bloom;
  h.gas_used = executor.gas_used();
  h.state_root = executed.diff.root;
  executed.hash = h.hash();
  TRY(check_header(block, *head));
  Block out = block;
  remember_candidate(std::make_shared<ExecutedBlock>(std::move(executed)));
  return out;
}

Batch LedgerImpl::make_batch(const ExecutedBlock& executed, BytesView raw_block, BytesView commit) const {
  const Header& h = executed.block.header;
  const Bytes number = number_key(h.number);
  Batch out;
  out.put(Table::kBlocks, number, encode_block_record(executed.block, raw_block, commit));
  out.put(Table::kHashes, executed.hash, number);
  out.put(Table::kReceipts, number, encode_receipts_record(executed.receipts, executed.system_logs));
  if (!h.logs_bloom.is_zero()) out.put(Table::kBlooms, number, h.logs_bloom);
  for (std::size_t i = 0; i < executed.block.transactions.size(); ++i) {
    Bytes place = number;
    for (const unsigned shift : {24u, 16u, 8u, 0u}) place.push_back(static_cast<std::uint8_t>(i >> shift));
    out.put(Table::kTxIndex, executed.block.transactions[i]->hash, place);
  }
  add_state(executed, out);
  for (const auto& [hash, code] : executed.diff.codes) out.put(Table::kCode, hash, *code);
  Bytes head = number;
  append(head, executed.hash);
  out.put(Table::kMeta, as_bytes("head"), head);
  return out;
}

/// After the batch is durable: the caches and the head change together, so that no reader sees half of a block.
void LedgerImpl::move_head(const std::shared_ptr<ExecutedBlock>& executed) {
  for (auto& made : executed->diff.nodes.made) nodes_.remember(std::move(made), executed->block.header.number);
  executed->diff.nodes = {};
  auto diff = std::make_shared<StateDiff>(std::move(executed->diff));
  auto head = std::make_shared<Head>(Head{executed->block.header, executed->hash, store_->snapshot()});

  const std::lock_guard gate(gate_);
  const std::unique_lock state(state_mutex_);
  for (const auto& [address, change] : diff->accounts) caches_.accounts.insert(address, change.after);
  for (const auto& [key, change] : diff->slots) caches_.slots.insert(key, change.after);
  recent_.push_back(std::move(diff));
  while (recent_.size() > options_.recent_states) recent_.pop_front();
  const std::lock_guard small(small_mutex_);
  head_ = std::move(head);
  candidates_.clear();
}

Result<> LedgerImpl::commit(const Block& block, BytesView commit) {
  TRY_ASSIGN(auto executed, validated(block));
  const Bytes raw = executed->block.encode();
  TRY(store_->write(make_batch(*executed, raw, commit), options_.sync));
  move_head(executed);
  // Shared: the cache, RPC replies and listeners hold the same immutable block.
  const auto stored = std::make_shared<const StoredBlock>(
      StoredBlock{executed->block, executed->hash, {commit.begin(), commit.end()}, raw.size()});
  cache_block(stored);
  std::vector<std::function<void(std::shared_ptr<const StoredBlock>)>> listeners;
  {
    const std::lock_guard lock(small_mutex_);
    for (const auto& [id, listener] : listeners_) listeners.push_back(listener);
  }
  for (const auto& listener : listeners) listener(stored);
  // The block is durable whatever happens here. What cannot be pruned now is pruned later: the record of where pruning
  // stands moves with it, and a store that fails says so at the next commit.
  (void)prune();
  return {};
}

}  // namespace bonus::chain::ledger
