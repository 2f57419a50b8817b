// Reading the ledger: blocks, receipts, state at any height, calls, logs, subscriptions. Any thread.
#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/ledger/ledger_impl.hpp"
#include "bonus/chain/state/journal_view.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/searches.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {
LedgerImpl::ReadLock LedgerImpl::read_lock() const {
  const std::lock_guard gate(gate_);
  return ReadLock(state_mutex_);
}

LedgerImpl::ReadLock LedgerImpl::try_read_lock(std::uint64_t number) const {
  // A thread that holds the lock already (root_with()) may get it once more: POSIX allows that for reading.
  const std::unique_lock gate(gate_, std::try_to_lock);
  if (!gate) return {};  // The writer waits: it goes first.
  ReadLock lock(state_mutex_, std::try_to_lock);
  if (lock && head_info()->header.number != number) return {};
  return lock;
}

std::shared_ptr<const LedgerImpl::Head> LedgerImpl::head_info() const {
  const std::lock_guard lock(small_mutex_);
  return head_;
}

Result<> LedgerImpl::check_number(std::uint64_t number) const {
  const std::uint64_t head = head_info()->header.number;
  if (number > head)
    return fail(ErrorCode::kNotFound, fmt::format("block {} does not exist yet: the head is {}", number, head));
  return {};
}

Result<std::shared_ptr<const StoredBlock>> LedgerImpl::load_block(std::uint64_t number) const {
  {
    const std::lock_guard lock(small_mutex_);
    if (const auto found = block_cache_.find(number); found != block_cache_.end()) return found->second;
  }
  TRY_ASSIGN(auto record, store_->get(Table::kBlocks, number_key(number)));
  if (!record) return fail(ErrorCode::kCorrupt, fmt::format("ledger: block {} is missing", number));
  TRY_ASSIGN(auto decoded, decode_block_record(*record));
  // Shared: the cache, RPC replies and listeners hold the same immutable block.
  auto shared = std::make_shared<const StoredBlock>(std::move(decoded));
  cache_block(shared);
  return shared;
}

void LedgerImpl::cache_block(const std::shared_ptr<const StoredBlock>& block) const {
  const std::uint64_t number = block->block.header.number;
  const std::lock_guard lock(small_mutex_);
  if (block_cache_.emplace(number, block).second) block_cache_order_.push_back(number);
  if (block_cache_order_.size() > options_.recent_blocks) {
    block_cache_.erase(block_cache_order_.front());
    block_cache_order_.pop_front();
  }
}

Result<std::shared_ptr<const StoredBlock>> LedgerImpl::block(std::uint64_t number) const {
  TRY(check_number(number));
  return load_block(number);
}

Result<std::shared_ptr<const StoredBlock>> LedgerImpl::block(const Hash32& hash) const {
  TRY_ASSIGN(auto stored, store_->get(Table::kHashes, hash));
  if (!stored || stored->size() != 8) return fail(ErrorCode::kNotFound, "no block has the hash " + to_hex0x(hash));
  std::uint64_t number = 0;
  for (const std::uint8_t b : *stored) number = number << 8 | b;
  return block(number);
}

Result<ReceiptsRecord> LedgerImpl::load_receipts(std::uint64_t number) const {
  TRY_ASSIGN(auto record, store_->get(Table::kReceipts, number_key(number)));
  if (!record) return fail(ErrorCode::kCorrupt, fmt::format("ledger: receipts of block {} are missing", number));
  return decode_receipts_record(*record);
}

Result<std::vector<StoredReceipt>> LedgerImpl::receipts(std::uint64_t number) const {
  TRY_ASSIGN(auto stored, block(number));
  TRY_ASSIGN(auto record, load_receipts(number));
  if (record.receipts.size() != stored->block.transactions.size())
    return fail(ErrorCode::kCorrupt, fmt::format("ledger: receipts of block {} do not fit its transactions", number));
  std::vector<StoredReceipt> out;
  out.reserve(record.receipts.size());
  std::uint32_t log_index = 0;
  for (std::size_t i = 0; i < record.receipts.size(); ++i) {
    StoredReceipt item;
    item.receipt = std::move(record.receipts[i]);
    item.transaction = stored->block.transactions[i];
    item.block_hash = stored->hash;
    item.block_number = number;
    item.index = static_cast<std::uint32_t>(i);
    item.first_log_index = log_index;
    log_index += static_cast<std::uint32_t>(item.receipt.logs.size());
    out.push_back(std::move(item));
  }
  return out;
}

Result<StoredReceipt> LedgerImpl::receipt(const Hash32& transaction) const {
  TRY_ASSIGN(auto place, store_->get(Table::kTxIndex, transaction));
  if (!place || place->size() != 12)
    return fail(ErrorCode::kNotFound, "no mined transaction has the hash " + to_hex0x(transaction));
  std::uint64_t number = 0;
  std::size_t index = 0;
  for (unsigned i = 0; i < 8; ++i) number = number << 8 | (*place)[i];
  for (unsigned i = 8; i < 12; ++i) index = index << 8 | (*place)[i];
  // A commit in progress writes the index a moment before the head moves.
  TRY(check_number(number));
  TRY_ASSIGN(auto all, receipts(number));
  if (index >= all.size()) return fail(ErrorCode::kCorrupt, "ledger: the transaction index points nowhere");
  return std::move(all[index]);
}

template <class Use>
auto LedgerImpl::on_state(std::uint64_t number, const Use& use) const
    -> decltype(use(std::declval<const StateView&>())) {
  const auto checked = [&](const StateView& view) -> decltype(use(view)) {
    auto out = use(view);
    if (const auto& error = view.error()) return fail(*error);
    return out;
  };
  std::shared_ptr<const Head> head;
  {
    const ReadLock lock = read_lock();
    head = head_info();
    if (number > head->header.number) return fail(check_number(number).error());
    const std::uint64_t behind = head->header.number - number;
    if (behind <= recent_.size()) {
      const HeadView view(*store_, codes_, head->snapshot.get(), caches_,
                          Undo(recent_.end() - static_cast<std::ptrdiff_t>(behind), recent_.end()));
      return checked(view);
    }
  }
  // From here on without the lock: the head's snapshot keeps what is read from changing.
  if (number >= first_history_) return checked(HistoryView(*store_, codes_, head->snapshot.get(), number));
  if (number < first_trie_) return fail(pruned(number, first_history_, options_.history_blocks));
  TRY_ASSIGN(auto stored, load_block(number));
  const NodesAt nodes(nodes_, number, head->snapshot.get(), false);
  return checked(TrieView(nodes, codes_, stored->block.header.state_root));
}

Result<Account> LedgerImpl::account(const Address& address, std::uint64_t number) const {
  return on_state(number, [&](const StateView& view) -> Result<Account> { return view.account(address); });
}

Result<uint256> LedgerImpl::storage(const Address& address, const uint256& slot, std::uint64_t number) const {
  return on_state(number, [&](const StateView& view) -> Result<uint256> { return view.storage({address, slot}); });
}

Result<std::shared_ptr<const Bytes>> LedgerImpl::code(const Address& address, std::uint64_t number) const {
  return on_state(number, [&](const StateView& view) -> Result<std::shared_ptr<const Bytes>> {
    const Account account = view.account(address);
    return has_code(account) ? view.code(account.code_hash) : std::make_shared<const Bytes>();
  });
}

Result<> LedgerImpl::with_state(std::uint64_t number, const std::function<Result<>(const StateView&)>& use) const {
  return on_state(number, use);
}

/// The state of `head`, for a reader that may take long: each read is locked for itself and served by the head's caches
/// as long as `head` is the head; afterwards, or when the writer waits, by the snapshot.
class LedgerImpl::PinnedView final : public StateView {
 public:
  PinnedView(const LedgerImpl& ledger, std::shared_ptr<const Head> head)
      : ledger_(ledger),
        head_(std::move(head)),
        cached_(*ledger.store_, ledger.codes_, head_->snapshot.get(), ledger.caches_, {}),
        snapshot_(*ledger.store_, ledger.codes_, head_->snapshot.get(), head_->header.number) {}

  [[nodiscard]] Account account(const Address& address) const override {
    return read([&](const StateView& from) { return from.account(address); });
  }
  [[nodiscard]] uint256 storage(const SlotKey& key) const override {
    return read([&](const StateView& from) { return from.storage(key); });
  }
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override {
    return read([&](const StateView& from) { return from.code(code_hash); });
  }

 private:
  template <class Use>
  auto read(const Use& use) const -> decltype(use(std::declval<const StateView&>())) {
    const ReadLock lock = ledger_.try_read_lock(head_->header.number);
    const StateView& from = lock ? static_cast<const StateView&>(cached_) : snapshot_;
    auto out = use(from);
    if (const auto& error = from.error()) remember(*error);
    return out;
  }

  const LedgerImpl& ledger_;
  const std::shared_ptr<const Head> head_;  // Shared: keeps the snapshot.
  const HeadView cached_;
  const HistoryView snapshot_;
};

Result<> LedgerImpl::with_snapshot(std::uint64_t number, const std::function<Result<>(const StateView&)>& use) const {
  const auto head = head_info();
  TRY(check_number(number));
  if (number < first_history_ || number > head->header.number) return with_state(number, use);
  if (number == head->header.number) {
    const PinnedView view(*this, head);
    TRY(use(view));
    if (const auto& error = view.error()) return fail(*error);
    return {};
  }
  const HistoryView view(*store_, codes_, head->snapshot.get(), number);
  TRY(use(view));
  if (const auto& error = view.error()) return fail(*error);
  return {};
}

Result<BlockContext> LedgerImpl::context(std::uint64_t number) const {
  const auto head = head_info();
  if (number != head->header.number + 1) {
    TRY_ASSIGN(const auto stored, block(number));
    return context_of(stored->block.header);
  }
  Header next = head->header;
  next.number = number;
  ++next.timestamp;
  next.base_fee = next_base_fee(head->header, genesis_);
  return context_of(next);
}

Result<> LedgerImpl::before_transaction(
    std::uint64_t number, std::size_t index,
    const std::function<Result<>(const StateView&, const BlockContext&)>& use) const {
  TRY_ASSIGN(const auto stored, block(number));
  const auto& transactions = stored->block.transactions;
  if (number == 0 || index > transactions.size())
    return fail(ErrorCode::kInvalid, fmt::format("block {} has no transaction {}", number, index));
  const BlockContext context = context_of(stored->block.header);
  return with_snapshot(number - 1, [&](const StateView& before) -> Result<> {
    BlockExecutor executor(before, registry_, context, programs_);
    for (std::size_t i = 0; i < index; ++i) TRY(executor.apply(*transactions[i]));
    const JournalView view(executor.journal());
    return use(view, context);
  });
}

Result<StateProof> LedgerImpl::proof(const Address& address, const std::vector<uint256>& slots,
                                     std::uint64_t number) const {
  ReadLock lock = read_lock();
  const auto head = head_info();
  if (number == head->header.number) {
    // Under the lock, so that the cache of nodes may learn from it.
    const NodesAt nodes(nodes_, number, head->snapshot.get(), true);
    return make_proof(nodes, head->header.state_root, address, slots);
  }
  lock.unlock();
  TRY(check_number(number));
  if (number < first_trie_) return fail(pruned(number, first_trie_, options_.trie_blocks));
  TRY_ASSIGN(const auto stored, load_block(number));
  const NodesAt nodes(nodes_, number, head->snapshot.get(), false);
  return make_proof(nodes, stored->block.header.state_root, address, slots);
}

Result<BlockContext> LedgerImpl::simulated_context(const Header& parent, Header& child) const {
  child.base_fee = next_base_fee(parent, genesis_);
  return context_of(child);
}

Result<Hash32> LedgerImpl::root_with(std::uint64_t number, const Journal& journal) const {
  const auto head = head_info();
  TRY(check_number(number));
  if (number < first_trie_) return fail(pruned(number, first_trie_, options_.trie_blocks));
  TRY_ASSIGN(const auto stored, load_block(number));
  // The head's snapshot keeps what is read from changing.
  const NodesAt nodes(nodes_, number, head->snapshot.get(), false);
  TRY_ASSIGN(const auto diff, make_diff(journal, nodes, stored->block.header.state_root));
  return diff.root;
}

Hash32 LedgerImpl::Hashes::block_hash(std::uint64_t number) const {
  const auto found = ledger_.load_block(number);
  return found ? (*found)->hash : Hash32{};
}

BlockContext LedgerImpl::context_of(const Header& header) const {
  BlockContext out;
  out.number = header.number;
  out.timestamp = header.timestamp;
  out.randao = header.prev_randao;
  out.beneficiary = header.beneficiary;
  out.chain_id = genesis_.chain_id;
  out.gas_limit = header.gas_limit;
  out.base_fee = header.base_fee;
  out.hashes = &hashes_;
  out.genesis = &genesis_;
  return out;
}

Result<CallReply> LedgerImpl::call(const CallRequest& request, std::uint64_t number) const {
  SenderTransaction item;
  item.sender = request.from;
  item.tx.chain_id = genesis_.chain_id;
  item.tx.to = request.to;
  item.tx.value = request.value;
  item.tx.data = request.data;
  item.tx.gas_limit = request.gas;
  TRY_ASSIGN(auto stored, block(number));
  const BlockContext context = context_of(stored->block.header);
  return on_state(number, [&](const StateView& view) -> Result<CallReply> {
    Journal journal(view);
    evm::Machine machine(journal, context, {.natives = &registry_, .programs = &programs_});
    TRY_ASSIGN(auto outcome, evm::transact(machine, item, {.simulate = true}));
    return CallReply{outcome.status == evm::Status::kSuccess, std::move(outcome.output), outcome.gas_used,
                     std::move(outcome.logs)};
  });
}

Result<> LedgerImpl::collect_logs(const LogFilter& filter, std::uint64_t number, std::vector<FoundLog>& out) const {
  TRY_ASSIGN(auto stored, load_block(number));
  TRY_ASSIGN(auto record, load_receipts(number));
  const auto& transactions = stored->block.transactions;
  if (record.receipts.size() != transactions.size())
    return fail(ErrorCode::kCorrupt, fmt::format("ledger: receipts of block {} do not fit its transactions", number));
  std::uint32_t log_index = 0;
  const auto take = [&](std::vector<Log>& logs, std::size_t tx_index, const Hash32& tx_hash) -> Result<> {
    for (Log& log : logs) {
      const std::uint32_t index = log_index++;
      if (!matches(filter, log)) continue;
      if (out.size() >= filter.limit) {
        return fail(ErrorCode::kExhausted,
                    fmt::format("query returned more than {} results: narrow the block range", filter.limit));
      }
      out.push_back({std::move(log), stored->hash, tx_hash, number, static_cast<std::uint32_t>(tx_index), index});
    }
    return {};
  };
  for (std::size_t i = 0; i < record.receipts.size(); ++i) TRY(take(record.receipts[i].logs, i, transactions[i]->hash));
  return take(record.system_logs, transactions.size(), system_log_hash(number));
}

Result<std::vector<FoundLog>> LedgerImpl::logs(const LogFilter& filter) const {
  if (filter.from_block > filter.to_block)
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid block range: {} is after {}", filter.from_block, filter.to_block));
  TRY(check_number(filter.to_block));
  TRY_ASSIGN(const auto candidates, blocks_with_logs(*store_, filter));
  std::vector<FoundLog> out;
  for (const std::uint64_t number : candidates) TRY(collect_logs(filter, number, out));
  return out;
}

std::uint64_t LedgerImpl::subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) {
  const std::lock_guard lock(small_mutex_);
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void LedgerImpl::unsubscribe(std::uint64_t id) {
  const std::lock_guard lock(small_mutex_);
  listeners_.erase(id);
}

}  // namespace bonus::chain::ledger
