// Reading an Ethereum ledger. Any thread.
#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/eth/ledger_impl.hpp"
#include "bonus/chain/state/journal_view.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/searches.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

using state::number_key;
using state::Table;
using state::Trie;

constexpr std::size_t kCachedBlocks = 256;

std::uint64_t read_number(BytesView key) {
  std::uint64_t out = 0;
  for (const std::uint8_t b : key) out = out << 8 | b;
  return out;
}

}  // namespace

Result<std::shared_ptr<const Bytes>> StoreNodes::read(Table table, const Hash32& hash, const char* what) const {
  std::shared_ptr<const Bytes> out;
  if (cache_.find(hash, out)) return out;
  TRY_ASSIGN(auto stored, store_.get(table, hash));
  if (!stored) return fail(ErrorCode::kCorrupt, fmt::format("missing {} {}", what, to_hex0x(hash)));
  if (crypto::keccak256(*stored) != hash)
    return fail(ErrorCode::kCorrupt, fmt::format("damaged {} {}", what, to_hex0x(hash)));
  out = std::make_shared<const Bytes>(*std::move(stored));
  cache_.insert(hash, out);
  return out;
}

Result<state::StoredNode> StoreNodes::node(BytesView /*place*/, const Hash32& hash) const {
  TRY_ASSIGN(auto rlp, read(Table::kTrie, hash, "trie node"));
  return state::StoredNode{.rlp = std::move(rlp), .version = 0};
}

Result<std::shared_ptr<const Bytes>> StoreNodes::code(const Hash32& hash) const {
  return read(Table::kCode, hash, "code");
}

EthLedgerImpl::Record EthLedgerImpl::head_record() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

Header EthLedgerImpl::head() const { return head_record()->stored.block.header; }
Hash32 EthLedgerImpl::head_hash() const { return head_record()->stored.hash; }

Result<EthLedgerImpl::Record> EthLedgerImpl::record(std::uint64_t number) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = cache_.find(number); found != cache_.end()) return found->second;
  }
  TRY_ASSIGN(const auto raw, store_->get(Table::kBlocks, number_key(number)));
  if (!raw) return fail(ErrorCode::kNotFound, fmt::format("block {} does not exist", number));
  TRY_ASSIGN(BlockRecord decoded, decode_block_record(*raw));
  auto out = std::make_shared<const BlockRecord>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= kCachedBlocks) cache_.erase(cache_.begin());
  cache_.emplace(number, out);
  return out;
}

Result<std::uint64_t> EthLedgerImpl::number_of(const Hash32& hash) const {
  TRY_ASSIGN(const auto stored, store_->get(Table::kHashes, hash));
  if (!stored || stored->size() != 8) return fail(ErrorCode::kNotFound, "no block has the hash " + to_hex0x(hash));
  return read_number(*stored);
}

Result<Ancestor> EthLedgerImpl::ancestor(const Hash32& hash) const {
  TRY_ASSIGN(const std::uint64_t number, number_of(hash));
  TRY_ASSIGN(const Record found, record(number));
  return Ancestor{found->stored.block.header, found->stored.hash, found->total_difficulty, found->stored.block.ommers};
}

Result<std::shared_ptr<const StoredBlock>> EthLedgerImpl::block(std::uint64_t number) const {
  const std::uint64_t head = head_record()->stored.block.header.number;
  if (number > head)
    return fail(ErrorCode::kNotFound, fmt::format("block {} does not exist yet: the head is {}", number, head));
  TRY_ASSIGN(const Record found, record(number));
  return std::shared_ptr<const StoredBlock>(found, &found->stored);
}

Result<std::shared_ptr<const StoredBlock>> EthLedgerImpl::block(const Hash32& hash) const {
  TRY_ASSIGN(const std::uint64_t number, number_of(hash));
  return block(number);
}

Result<Hash32> EthLedgerImpl::root_of(std::uint64_t number) const {
  TRY_ASSIGN(const auto stored, block(number));
  return stored->block.header.state_root;
}

Result<std::vector<Receipt>> EthLedgerImpl::load_receipts(std::uint64_t number) const {
  TRY_ASSIGN(const auto raw, store_->get(Table::kReceipts, number_key(number)));
  if (!raw) return fail(ErrorCode::kCorrupt, fmt::format("the receipts of block {} are missing", number));
  return decode_receipts_record(*raw);
}

Result<std::vector<StoredReceipt>> EthLedgerImpl::receipts(std::uint64_t number) const {
  TRY_ASSIGN(const auto stored, block(number));
  TRY_ASSIGN(auto all, load_receipts(number));
  if (all.size() != stored->block.transactions.size())
    return fail(ErrorCode::kCorrupt, fmt::format("the receipts of block {} do not fit its transactions", number));
  std::vector<StoredReceipt> out;
  std::uint32_t logs = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    StoredReceipt item;
    item.receipt = std::move(all[i]);
    item.transaction = stored->block.transactions[i];
    item.block_hash = stored->hash;
    item.block_number = number;
    item.index = static_cast<std::uint32_t>(i);
    item.first_log_index = logs;
    logs += static_cast<std::uint32_t>(item.receipt.logs.size());
    out.push_back(std::move(item));
  }
  return out;
}

Result<StoredReceipt> EthLedgerImpl::receipt(const Hash32& transaction) const {
  TRY_ASSIGN(const auto place, store_->get(Table::kTxIndex, transaction));
  if (!place || place->size() != 12)
    return fail(ErrorCode::kNotFound, "no mined transaction has the hash " + to_hex0x(transaction));
  const std::uint64_t index = read_number(BytesView(*place).subspan(8));
  TRY_ASSIGN(auto all, receipts(read_number(BytesView(*place).first(8))));
  if (index >= all.size()) return fail(ErrorCode::kCorrupt, "the transaction index points nowhere");
  return std::move(all[index]);
}

Result<> EthLedgerImpl::with_state(std::uint64_t number, const std::function<Result<>(const StateView&)>& use) const {
  TRY_ASSIGN(const Hash32 root, root_of(number));
  const NodeView view(nodes_, root);
  auto out = use(view);
  if (const auto& error = view.error()) return fail(*error);
  return out;
}

Result<Account> EthLedgerImpl::account(const Address& address, std::uint64_t number) const {
  Account out;
  TRY(with_state(number, [&](const StateView& view) -> Result<> {
    out = view.account(address);
    return {};
  }));
  return out;
}

Result<uint256> EthLedgerImpl::storage(const Address& address, const uint256& slot, std::uint64_t number) const {
  uint256 out;
  TRY(with_state(number, [&](const StateView& view) -> Result<> {
    out = view.storage({address, slot});
    return {};
  }));
  return out;
}

Result<std::shared_ptr<const Bytes>> EthLedgerImpl::code(const Address& address, std::uint64_t number) const {
  std::shared_ptr<const Bytes> out;
  TRY(with_state(number, [&](const StateView& view) -> Result<> {
    out = view.code(view.account(address).code_hash);
    return {};
  }));
  return out;
}

Result<StateProof> EthLedgerImpl::proof(const Address& address, const std::vector<uint256>& slots,
                                        std::uint64_t number) const {
  TRY_ASSIGN(const Hash32 root, root_of(number));
  return state::make_proof(nodes_, root, address, slots);
}

Hash32 EthLedgerImpl::Hashes::block_hash(std::uint64_t number) const {
  const auto found = ledger_.record(number);
  return found ? (*found)->stored.hash : Hash32{};
}

Rules EthLedgerImpl::next_rules() const {
  const Record last = head_record();
  const Header& header = last->stored.block.header;
  const auto& terminal = config().terminal_total_difficulty;
  return config().at(header.number + 1, header.timestamp + 1, terminal && last->total_difficulty >= *terminal);
}

Result<BlockContext> EthLedgerImpl::context(std::uint64_t number) const {
  const Record last = head_record();
  const Header& head = last->stored.block.header;
  if (number != head.number + 1) {
    TRY_ASSIGN(const auto stored, block(number));
    const Header& header = stored->block.header;
    return make_context(header, config().of(header), config().chain_id, &hashes_);
  }
  const Rules rules = next_rules();
  Header next = head;
  next.number = number;
  ++next.timestamp;
  next.base_fee = next_base_fee(head, rules);
  next.difficulty = rules.since(Revision::kParis) ? uint256() : next_difficulty(head, next.timestamp, rules);
  next.excess_blob_gas = next_excess_blob_gas(head, rules);
  return make_context(next, rules, config().chain_id, &hashes_);
}

Result<> EthLedgerImpl::before_transaction(
    std::uint64_t number, std::size_t index,
    const std::function<Result<>(const StateView&, const BlockContext&)>& use) const {
  if (number == 0) return fail(ErrorCode::kInvalid, "genesis is not traceable");
  TRY_ASSIGN(const auto stored, block(number));
  const auto& transactions = stored->block.transactions;
  const Header& header = stored->block.header;
  if (index > transactions.size())
    return fail(ErrorCode::kNotFound, fmt::format("block {} has {} transactions", number, transactions.size()));
  TRY_ASSIGN(const Hash32 root, root_of(number - 1));
  TRY_ASSIGN(const BlockContext environment, context(number));
  const NodeView base(nodes_, root);
  BlockExecution execution(base, nodes_, root, environment, config().of(header),
                           {.programs = &programs_, .tracer = nullptr});
  execution.begin(header.parent_beacon_root, header.parent_hash);
  for (std::size_t i = 0; i < index; ++i) TRY(execution.apply(*transactions[i]));
  const state::JournalView view(execution.machine().journal());
  auto out = use(view, environment);
  if (const auto& error = base.error()) return fail(*error);
  return out;
}

Result<BlockContext> EthLedgerImpl::simulated_context(const Header& parent, Header& child) const {
  const Rules rules = config().at(child.number, child.timestamp, config().of(parent).since(Revision::kParis));
  child.form = rules.form;
  child.difficulty = rules.since(Revision::kParis) ? uint256() : next_difficulty(parent, child.timestamp, rules);
  if (rules.since(Revision::kLondon)) child.base_fee = next_base_fee(parent, rules);
  child.excess_blob_gas = next_excess_blob_gas(parent, rules);
  return make_context(child, rules, config().chain_id, &hashes_);
}

Result<Hash32> EthLedgerImpl::root_with(std::uint64_t number, const state::Journal& journal) const {
  TRY_ASSIGN(const Hash32 root, root_of(number));
  TRY_ASSIGN(const state::StateDiff diff, state::make_diff(journal, nodes_, root));
  return diff.root;
}

Result<CallReply> EthLedgerImpl::call(const CallRequest& request, std::uint64_t number) const {
  SenderTransaction item;
  item.sender = request.from;
  item.tx.chain_id = config().chain_id;
  item.tx.to = request.to;
  item.tx.value = request.value;
  item.tx.data = request.data;
  item.tx.gas_limit = request.gas;
  TRY_ASSIGN(const BlockContext environment, context(number));
  CallReply out;
  TRY(with_state(number, [&](const StateView& view) -> Result<> {
    state::Journal journal(view);
    evm::Machine machine(journal, environment, {.programs = &programs_});
    TRY_ASSIGN(auto outcome, evm::transact(machine, item, {.burn_base_fee = true, .simulate = true}));
    out = {outcome.status == evm::Status::kSuccess, std::move(outcome.output), outcome.gas_used,
           std::move(outcome.logs)};
    return {};
  }));
  return out;
}

Result<> EthLedgerImpl::collect_logs(const LogFilter& filter, std::uint64_t number, std::vector<FoundLog>& out) const {
  TRY_ASSIGN(auto all, receipts(number));
  for (StoredReceipt& item : all) {
    std::uint32_t index = item.first_log_index;
    for (Log& log : item.receipt.logs) {
      const std::uint32_t place = index++;
      if (!matches(filter, log)) continue;
      if (out.size() >= filter.limit) {
        return fail(ErrorCode::kExhausted,
                    fmt::format("query returned more than {} results: narrow the block range", filter.limit));
      }
      out.push_back({std::move(log), item.block_hash, item.transaction->hash, number, item.index, place});
    }
  }
  return {};
}

Result<std::vector<FoundLog>> EthLedgerImpl::logs(const LogFilter& filter) const {
  if (filter.from_block > filter.to_block)
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid block range: {} is after {}", filter.from_block, filter.to_block));
  TRY(block(filter.to_block));
  TRY_ASSIGN(const auto candidates, state::blocks_with_logs(*store_, filter));
  std::vector<FoundLog> out;
  for (const std::uint64_t number : candidates) TRY(collect_logs(filter, number, out));
  return out;
}

std::uint64_t EthLedgerImpl::subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void EthLedgerImpl::unsubscribe(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(id);
}

}  // namespace bonus::chain::eth
