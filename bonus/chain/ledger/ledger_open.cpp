// Opening a ledger: genesis state, resuming at the last commit.
#include <fmt/format.h>

#include "bonus/base/log.hpp"
#include "bonus/chain/ledger/ledger_impl.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {
namespace {

constexpr std::string_view kVersionKey = "version";
constexpr std::string_view kGenesisKey = "genesis";
constexpr std::string_view kHeadKey = "head";
constexpr std::uint8_t kLayoutVersion = 3;

}  // namespace

LedgerImpl::LedgerImpl(Genesis genesis, const ContractRegistry& registry, const LedgerOptions& options,
                       std::unique_ptr<Store> store)
    : genesis_(std::move(genesis)),
      registry_(registry),
      options_(options),
      store_(std::move(store)),
      nodes_(*store_, options.node_cache_entries),
      codes_(*store_, options.code_cache_entries),
      caches_(options.account_cache_entries, options.slot_cache_entries) {}

LedgerImpl::~LedgerImpl() = default;

Block LedgerImpl::genesis_block(const Hash32& state_root) const {
  Block out;
  Header& h = out.header;
  h.ommers_hash = kEmptyOmmersHash;
  h.state_root = state_root;
  h.transactions_root = kEmptyTrieRoot;
  h.receipts_root = kEmptyTrieRoot;
  h.gas_limit = genesis_.gas_limit;
  h.timestamp = genesis_.timestamp;
  h.base_fee = genesis_.base_fee;
  // Every parameter of the genesis file is part of the first block's hash, and seeds the first draw.
  h.prev_randao = crypto::keccak256(as_bytes(genesis_.to_json()));
  ExtraData extra;
  extra.validators_hash = genesis_.validators_hash();
  extra.next_validators_hash = extra.validators_hash;
  h.extra_data = extra.encode();
  return out;
}

Result<> LedgerImpl::create_genesis() {
  const state::EmptyView nothing;
  Journal journal(nothing);
  for (const auto& [address, amount] : genesis_.balances) journal.set_balance(address, amount);
  std::vector<Address> contracts{kFoundationAddress};
  for (const NativeContract* contract : registry_.in_order())
    if (contract->exists_in(genesis_)) contracts.push_back(contract->address());
  for (const Address& address : contracts) {
    journal.set_nonce(address, 1);
    journal.set_code(address, Bytes(kSystemCode.begin(), kSystemCode.end()), system_code_hash());
  }
  auto executed = std::make_shared<ExecutedBlock>();
  TRY_ASSIGN(executed->diff, make_diff(journal, NodesAt(nodes_, 0, nullptr, true), kEmptyTrieRoot));
  executed->block = genesis_block(executed->diff.root);
  executed->hash = executed->block.header.hash();

  Batch batch = make_batch(*executed, executed->block.encode(), {});
  batch.put(Table::kMeta, as_bytes(kVersionKey), Bytes{kLayoutVersion});
  batch.put(Table::kMeta, as_bytes(kGenesisKey), executed->hash);
  TRY(store_->write(batch, options_.sync));
  move_head(executed);
  return {};
}

Result<> LedgerImpl::resume() {
  TRY_ASSIGN(auto version, store_->get(Table::kMeta, as_bytes(kVersionKey)));
  if (!version || *version != Bytes{kLayoutVersion})
    return fail(ErrorCode::kUnsupported,
                "the ledger folder was written by another version of this program: remove it and sync again, or use "
                "that version");
  TRY_ASSIGN(auto genesis, load_block(0));
  const Hash32 expected = genesis_block(genesis->block.header.state_root).header.hash();
  TRY_ASSIGN(auto stored, store_->get(Table::kMeta, as_bytes(kGenesisKey)));
  if (!stored || !std::ranges::equal(*stored, genesis->hash.bytes))
    return fail(ErrorCode::kCorrupt, "ledger: block 0 is not the one that the folder was made with");
  if (genesis->hash != expected) {
    return fail(
        ErrorCode::kConflict,
        fmt::format("the ledger folder belongs to another genesis: it holds block 0 {}, the genesis file makes {}; "
                    "use the genesis file it was made with, or another folder",
                    to_hex0x(genesis->hash), to_hex0x(expected)));
  }
  TRY_ASSIGN(auto head, store_->get(Table::kMeta, as_bytes(kHeadKey)));
  if (!head || head->size() != 40) return fail(ErrorCode::kCorrupt, "ledger: the head record is missing or damaged");
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 8; ++i) number = number << 8 | (*head)[i];
  TRY_ASSIGN(auto block, load_block(number));
  if (!std::ranges::equal(BytesView(*head).subspan(8), block->hash.bytes) || block->block.header.number != number)
    return fail(ErrorCode::kCorrupt, fmt::format("ledger: block {} is not the head that was recorded", number));
  auto info = std::make_shared<Head>(Head{block->block.header, block->hash, store_->snapshot()});
  {
    const std::lock_guard lock(small_mutex_);
    head_ = std::move(info);
  }
  TRY(load_pruning());
  TRY(check_head());
  TRY(check_sample());
  return load_recent();
}

Result<> LedgerImpl::start() {
  TRY_ASSIGN(auto version, store_->get(Table::kMeta, as_bytes(kVersionKey)));
  TRY(version ? resume() : create_genesis());
  warm_caches();
  return {};
}

/// Native contracts read their whole state often: bring it to memory before the first reader waits for it.
void LedgerImpl::warm_caches() {
  std::size_t left = options_.slot_cache_entries / 2;
  for (const NativeContract* contract : registry_.in_order()) {
    const Address address = contract->address();
    // A failure shows again, with its error, when the slot is read.
    (void)store_->scan(Table::kStorage, address, [&](BytesView key, BytesView value) -> Result<bool> {
      if (left == 0 || key.size() != 52 || !std::ranges::equal(key.first(20), address.bytes)) return false;
      caches_.slots.insert({address, uint256::from_be(key.subspan(20))}, uint256::from_be(value));
      --left;
      return true;
    });
  }
}

Result<std::unique_ptr<Ledger>> open_ledger(const std::string& path, const Genesis& genesis,
                                            const ContractRegistry& registry, const LedgerOptions& options) {
  const auto refused = [&](Error error) {
    if (error.code == ErrorCode::kCorrupt) {
      error.message +=
          "; the ledger is damaged and nothing in it can be trusted: move the folder away and start again, the node "
          "then syncs from its peers. Keep the folder of the consensus state: it is not affected";
    }
    return fail(std::move(error).wrap(fmt::format("cannot open the ledger in {}", path)));
  };
  auto store = Store::open(path, {options.store_cache_bytes, options.store_buffer_bytes});
  if (!store) return refused(std::move(store).error());
  const std::vector<std::string> repairs = (*store)->repairs();
  auto ledger = std::make_unique<LedgerImpl>(genesis, registry, options, *std::move(store));
  if (auto started = ledger->start(); !started) return refused(std::move(started).error());
  for (const std::string& repair : repairs) {
    log::warn("ledger", "the end of the store's log was damaged and has been cut",
              {{"path", path}, {"what", repair}, {"head", std::to_string(ledger->head().number)}});
  }
  return std::unique_ptr<Ledger>(std::move(ledger));
}

}  // namespace bonus::chain::ledger
