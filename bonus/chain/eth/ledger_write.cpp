// Opening an Ethereum ledger and appending to it.
#include <fmt/format.h>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/eth/ledger_impl.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

using state::number_key;
using state::Table;

constexpr std::uint8_t kVersion = 1;
// Keys of Table::kMeta. "eth_version" keeps the chain's own ledger from taking this database for its own.
const BytesView kVersionKey = as_bytes("eth_version");
const BytesView kGenesisKey = as_bytes("genesis_json");
const BytesView kHeadKey = as_bytes("head");

std::uint64_t read_number(BytesView key) {
  std::uint64_t out = 0;
  for (const std::uint8_t b : key) out = out << 8 | b;
  return out;
}

}  // namespace

Result<std::unique_ptr<EthLedger>> EthLedger::open(const EthLedgerOptions& options) {
  TRY_ASSIGN(auto store,
             state::Store::open(options.path, state::StoreOptions{.cache_bytes = options.store_cache_bytes}));
  auto out = std::make_unique<EthLedgerImpl>(options, std::move(store));
  TRY(out->start(options));
  return out;
}

EthLedgerImpl::EthLedgerImpl(const EthLedgerOptions& options, std::unique_ptr<state::Store> store)
    : store_(std::move(store)), nodes_(*store_, options.node_cache_entries) {}

Result<> EthLedgerImpl::start(const EthLedgerOptions& options) {
  TRY_ASSIGN(const auto version, store_->get(Table::kMeta, kVersionKey));
  if (version) {
    if (*version != Bytes{kVersion}) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: written by another version of this program; import again", options.path));
    }
    TRY(resume(options.genesis_json));
  } else {
    TRY_ASSIGN(const auto foreign, store_->get(Table::kMeta, kHeadKey));
    if (foreign)
      return fail(ErrorCode::kConflict, fmt::format("{}: this is the database of a BonusChain node", options.path));
    if (options.genesis_json.empty())
      return fail(ErrorCode::kNotFound, fmt::format("{}: no chain has been imported here", options.path));
    TRY(create(options.genesis_json));
  }
  facade_.chain_id = genesis_.config.chain_id;
  facade_.timestamp = genesis_.header.timestamp;
  facade_.gas_limit = genesis_.header.gas_limit;
  facade_.base_fee = genesis_.header.base_fee;
  return {};
}

Result<> EthLedgerImpl::create(const std::string& genesis_json) {
  TRY_ASSIGN(genesis_, EthGenesis::from_json(genesis_json));
  const Block block = genesis_.block();
  const Hash32 hash = block.header.hash();
  state::Batch batch;
  batch.put(Table::kMeta, kVersionKey, Bytes{kVersion});
  batch.put(Table::kMeta, kGenesisKey, as_bytes(genesis_json));
  add_state(batch, genesis_.state);
  const Bytes raw = encode_ethereum_block(block);
  add_block(batch, block, hash, raw, block.header.difficulty, {});
  TRY(store_->write(batch, true));
  TRY_ASSIGN(const Record first, record(0));
  move_head(first);
  return {};
}

Result<> EthLedgerImpl::resume(const std::string& genesis_json) {
  TRY_ASSIGN(const auto stored, store_->get(Table::kMeta, kGenesisKey));
  if (!stored) return fail(ErrorCode::kCorrupt, "the database has lost its genesis");
  TRY_ASSIGN(genesis_, EthGenesis::from_json(as_text(*stored)));
  if (!genesis_json.empty()) {
    TRY_ASSIGN(const EthGenesis given, EthGenesis::from_json(genesis_json));
    if (given.header.hash() != genesis_.header.hash()) {
      return fail(ErrorCode::kConflict, fmt::format("the database begins with block {}, the genesis file with {}",
                                                    to_hex0x(genesis_.header.hash()), to_hex0x(given.header.hash())));
    }
    if (genesis_json != as_text(*stored)) {
      // The same block, perhaps with forks that were scheduled since: geth takes the new configuration, too.
      genesis_.config = given.config;
      state::Batch batch;
      batch.put(Table::kMeta, kGenesisKey, as_bytes(genesis_json));
      TRY(store_->write(batch, true));
    }
  }
  TRY_ASSIGN(const auto head, store_->get(Table::kMeta, kHeadKey));
  if (!head || head->size() != 8) return fail(ErrorCode::kCorrupt, "the database has lost its head");
  TRY_ASSIGN(const Record last, record(read_number(*head)));
  // The state must be there: its root node is read and compared with its hash.
  const NodeView view(nodes_, last->stored.block.header.state_root);
  (void)view.account(Address{});
  if (const auto& error = view.error()) return fail(*error);
  move_head(last);
  return {};
}

void EthLedgerImpl::add_state(state::Batch& batch, const state::StateDiff& diff) {
  for (const auto& made : diff.nodes.made) batch.put(Table::kTrie, made.hash, made.rlp);
  for (const auto& [hash, code] : diff.codes) batch.put(Table::kCode, hash, *code);
}

void EthLedgerImpl::add_block(state::Batch& batch, const Block& block, const Hash32& hash, BytesView raw,
                              const uint256& total_difficulty, const std::vector<Receipt>& receipts) {
  const Bytes key = number_key(block.header.number);
  batch.put(Table::kBlocks, key, encode_block_record(block, raw, total_difficulty));
  batch.put(Table::kHashes, hash, key);
  batch.put(Table::kReceipts, key, encode_receipts_record(receipts));
  if (!block.header.logs_bloom.is_zero()) batch.put(Table::kBlooms, key, block.header.logs_bloom);
  std::uint32_t index = 0;
  for (const auto& tx : block.transactions) {
    Bytes place = key;
    for (int shift = 24; shift >= 0; shift -= 8) place.push_back(static_cast<std::uint8_t>(index >> shift));
    batch.put(Table::kTxIndex, tx->hash, place);
    ++index;
  }
  batch.put(Table::kMeta, kHeadKey, key);
}

Result<EthLedger::Appended> EthLedgerImpl::append(BytesView raw) {
  TRY_ASSIGN(BareEthereumBlock bare, decode_ethereum_block(raw));
  const Record parent = head_record();
  const Header& head = parent->stored.block.header;
  const Header& header = bare.block.header;
  const Hash32 hash = header.hash();
  if (header.number <= head.number) {
    TRY_ASSIGN(const Record known, record(header.number));
    if (known->stored.hash == hash) return Appended::kKnown;
    return fail(ErrorCode::kConflict, fmt::format("another block {} is here: {}; only one line of blocks is kept",
                                                  header.number, to_hex0x(known->stored.hash)));
  }
  if (header.number != head.number + 1)
    return fail(ErrorCode::kConflict, fmt::format("the block before it is missing; the head is block {}", head.number));
  TRY_ASSIGN(const Block block, with_senders(std::move(bare), config()));
  const NodeView base(nodes_, head.state_root);
  const Ancestor before{head, parent->stored.hash, parent->total_difficulty, parent->stored.block.ommers};
  TRY_ASSIGN(const ProcessedBlock done,
             process_block(block, before, config(), base, nodes_, *this, {.programs = &programs_, .tracer = nullptr}));
  const uint256 total = parent->total_difficulty + header.difficulty;
  state::Batch batch;
  add_state(batch, done.state);
  add_block(batch, block, hash, raw, total, done.receipts);
  TRY(store_->write(batch, false));
  move_head(std::make_shared<const BlockRecord>(BlockRecord{{block, hash, {}, raw.size()}, total}));
  return Appended::kNew;
}

Result<> EthLedgerImpl::sync() {
  state::Batch batch;
  batch.put(Table::kMeta, kHeadKey, number_key(head_record()->stored.block.header.number));
  return store_->write(batch, true);
}

void EthLedgerImpl::move_head(Record record) {
  // Shared with the record, which listeners may keep.
  const std::shared_ptr<const StoredBlock> stored(record, &record->stored);
  std::map<std::uint64_t, std::function<void(std::shared_ptr<const StoredBlock>)>> listeners;
  {
    const std::lock_guard lock(mutex_);
    head_ = std::move(record);
    listeners = listeners_;
  }
  for (const auto& [id, listener] : listeners) listener(stored);
}

}  // namespace bonus::chain::eth
