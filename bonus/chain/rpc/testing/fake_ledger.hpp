// An in-memory ledger and mempool for tests of what reads them: blocks are appended by hand, state is a map, calls are
// a function.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::testing {

/// Thread-safe: blocks may be added while others read. The state is filled before reading starts.
class FakeLedger final : public LedgerReader {
 public:
  explicit FakeLedger(Genesis genesis) : genesis_(std::move(genesis)) {
    Header header;
    header.gas_limit = genesis_.gas_limit;
    header.timestamp = genesis_.timestamp;
    header.base_fee = genesis_.base_fee;
    for (const auto& [address, balance] : genesis_.balances) state_[address].balance = balance;
    append(std::move(header), {}, {});
  }

  /// Adds a block on the head. `receipts` belong to `transactions` one by one; their gas fills the header.
  void add_block(std::vector<TransactionPtr> transactions, std::vector<Receipt> receipts, uint256 base_fee) {
    Header header;
    header.parent_hash = head_hash();
    header.number = head().number + 1;
    header.timestamp = head().timestamp + 1;
    header.gas_limit = genesis_.gas_limit;
    header.base_fee = base_fee;
    for (auto& receipt : receipts) {
      header.gas_used += receipt.gas_used;
      receipt.cumulative_gas = header.gas_used;
    }
    append(std::move(header), std::move(transactions), std::move(receipts));
  }
  Account& account_ref(const Address& address) { return state_[address]; }
  void set_storage(const Address& address, const uint256& slot, const uint256& value) {
    storage_[std::pair(address, slot.to_be())] = value;
  }
  void on_call(std::function<Result<CallReply>(const CallRequest&)> call) { call_ = std::move(call); }

  const Genesis& genesis() const override { return genesis_; }
  Header head() const override {
    const std::lock_guard lock(mutex_);
    return blocks_.back()->block.header;
  }
  Hash32 head_hash() const override {
    const std::lock_guard lock(mutex_);
    return blocks_.back()->hash;
  }
  Result<std::shared_ptr<const StoredBlock>> block(std::uint64_t number) const override {
    const std::lock_guard lock(mutex_);
    if (number >= blocks_.size())
      return fail(ErrorCode::kNotFound, "block " + std::to_string(number) + " is not known");
    return blocks_[number];
  }
  Result<std::shared_ptr<const StoredBlock>> block(const Hash32& hash) const override {
    const std::lock_guard lock(mutex_);
    for (const auto& block : blocks_)
      if (block->hash == hash) return block;
    return fail(ErrorCode::kNotFound, "the block is not known");
  }
  Result<StoredReceipt> receipt(const Hash32& transaction) const override {
    const std::lock_guard lock(mutex_);
    for (const auto& list : receipts_)
      for (const auto& receipt : list)
        if (receipt.transaction->hash == transaction) return receipt;
    return fail(ErrorCode::kNotFound, "the transaction is not known");
  }
  Result<std::vector<StoredReceipt>> receipts(std::uint64_t number) const override {
    const std::lock_guard lock(mutex_);
    if (number >= receipts_.size()) return fail(ErrorCode::kNotFound, "the block is not known");
    return receipts_[number];
  }
  Result<Account> account(const Address& address, std::uint64_t) const override {
    const auto found = state_.find(address);
    return found == state_.end() ? Account() : found->second;
  }
  Result<uint256> storage(const Address& address, const uint256& slot, std::uint64_t) const override {
    const auto found = storage_.find(std::pair(address, slot.to_be()));
    return found == storage_.end() ? uint256() : found->second;
  }
  void set_code(const Address& address, Bytes code, const Hash32& code_hash) {
    state_[address].code_hash = code_hash;
    codes_[code_hash] = std::make_shared<const Bytes>(std::move(code));
  }
  Result<std::shared_ptr<const Bytes>> code(const Address& address, std::uint64_t) const override {
    return View(*this).code(account(address, 0)->code_hash);
  }
  /// The account and the slots; there is no trie behind them, so no nodes.
  Result<StateProof> proof(const Address& address, const std::vector<uint256>& slots, std::uint64_t) const override {
    StateProof out;
    out.account = *account(address, 0);
    for (const uint256& slot : slots) out.slots.push_back({slot, *storage(address, slot, 0), {}});
    return out;
  }
  Result<> with_state(std::uint64_t number, const std::function<Result<>(const StateView&)>& use) const override {
    if (number >= blocks_.size()) return fail(ErrorCode::kNotFound, "the block is not known");
    return use(View(*this));
  }
  Result<BlockContext> context(std::uint64_t number) const override {
    if (number > blocks_.size()) return fail(ErrorCode::kNotFound, "the block is not known");
    const Header& header = blocks_[std::min<std::size_t>(number, blocks_.size() - 1)]->block.header;
    BlockContext out;
    out.number = number;
    out.timestamp = header.timestamp + (number == blocks_.size() ? 1 : 0);
    out.randao = header.prev_randao;
    out.beneficiary = header.beneficiary;
    out.chain_id = genesis_.chain_id;
    out.gas_limit = header.gas_limit;
    out.base_fee = number == blocks_.size() ? next_base_fee(header, genesis_) : header.base_fee;
    out.genesis = &genesis_;
    return out;
  }
  void set_natives(const ContractRegistry* natives) { natives_ = natives; }
  const ContractRegistry* natives() const override { return natives_; }
  /// Every transaction begins on the one state there is.
  Result<> before_transaction(
      std::uint64_t number, std::size_t,
      const std::function<Result<>(const StateView&, const BlockContext&)>& use) const override {
    TRY_ASSIGN(const auto block, context(number));
    return use(View(*this), block);
  }
  Result<BlockContext> simulated_context(const Header& parent, Header& child) const override {
    child.base_fee = parent.base_fee;
    TRY_ASSIGN(auto out, context(0));
    out.number = child.number;
    out.timestamp = child.timestamp;
    out.randao = child.prev_randao;
    out.beneficiary = child.beneficiary;
    out.gas_limit = child.gas_limit;
    out.base_fee = child.base_fee;
    return out;
  }
  /// There is no trie: a digest of nothing but the block's number.
  Result<Hash32> root_with(std::uint64_t number, const state::Journal&) const override {
    return uint256(number).to_be();
  }
  Result<CallReply> call(const CallRequest& request, std::uint64_t) const override {
    if (!call_) return CallReply{true, {}, 21'000, {}};
    return call_(request);
  }
  Result<std::vector<FoundLog>> logs(const LogFilter& filter) const override {
    const std::lock_guard lock(mutex_);
    std::vector<FoundLog> out;
    for (std::uint64_t number = filter.from_block; number <= filter.to_block && number < receipts_.size(); ++number) {
      for (const auto& receipt : receipts_[number]) {
        std::uint32_t index = receipt.first_log_index;
        for (const auto& log : receipt.receipt.logs) {
          const FoundLog found{log, receipt.block_hash, receipt.transaction->hash, number, receipt.index, index++};
          if (!matches(filter, log)) continue;
          if (out.size() == filter.limit) return fail(ErrorCode::kExhausted, "too many logs match");
          out.push_back(found);
        }
      }
    }
    return out;
  }
  std::uint64_t subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) override {
    const std::lock_guard lock(mutex_);
    listeners_[++next_listener_] = std::move(listener);
    return next_listener_;
  }
  void unsubscribe(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    listeners_.erase(id);
  }

 private:
  /// The same state at every height.
  class View final : public StateView {
   public:
    explicit View(const FakeLedger& ledger) : ledger_(ledger) {}
    Account account(const Address& address) const override { return *ledger_.account(address, 0); }
    uint256 storage(const SlotKey& key) const override { return *ledger_.storage(key.contract, key.slot, 0); }
    std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override {
      const auto found = ledger_.codes_.find(code_hash);
      return found == ledger_.codes_.end() ? std::make_shared<const Bytes>() : found->second;
    }

   private:
    const FakeLedger& ledger_;
  };

  void append(Header header, std::vector<TransactionPtr> transactions, std::vector<Receipt> receipts) {
    auto stored = std::make_shared<StoredBlock>();
    stored->block.header = std::move(header);
    stored->block.transactions = std::move(transactions);
    stored->hash = stored->block.header.hash();
    stored->size_bytes = stored->block.encode().size();
    std::vector<StoredReceipt> list;
    std::uint32_t index = 0;
    std::uint32_t first_log = 0;
    for (auto& receipt : receipts) {
      const auto logs = static_cast<std::uint32_t>(receipt.logs.size());
      list.push_back({std::move(receipt), stored->block.transactions[index], stored->hash, stored->block.header.number,
                      index, first_log});
      ++index;
      first_log += logs;
    }
    decltype(listeners_) listeners;
    {
      const std::lock_guard lock(mutex_);
      receipts_.push_back(std::move(list));
      blocks_.push_back(stored);
      listeners = listeners_;
    }
    for (const auto& [id, listener] : listeners) listener(stored);
  }

  Genesis genesis_;
  std::vector<std::shared_ptr<const StoredBlock>> blocks_;
  std::vector<std::vector<StoredReceipt>> receipts_;
  std::map<Address, Account> state_;
  std::map<std::pair<Address, Hash32>, uint256> storage_;
  std::map<Hash32, std::shared_ptr<const Bytes>> codes_;
  std::function<Result<CallReply>(const CallRequest&)> call_;
  const ContractRegistry* natives_ = nullptr;
  mutable std::mutex mutex_;  // guards blocks_, receipts_ and all below
  std::map<std::uint64_t, std::function<void(std::shared_ptr<const StoredBlock>)>> listeners_;
  std::uint64_t next_listener_ = 0;
};

/// Takes every transaction of the right chain; nonces are counted from the given ledger.
class FakeMempool final : public Mempool {
 public:
  explicit FakeMempool(const FakeLedger& ledger) : ledger_(ledger) {}
  Result<> add(TransactionPtr tx) override {
    std::unique_lock lock(mutex_);
    if (tx->tx.chain_id != ledger_.genesis().chain_id) return fail(ErrorCode::kInvalid, "invalid chain id for signer");
    if (pending_.contains(tx->hash)) return fail(ErrorCode::kExists, "already known");
    if (tx->tx.nonce < nonce_of(tx->sender)) return fail(ErrorCode::kInvalid, "nonce too low");
    pending_.emplace(tx->hash, tx);
    const auto listeners = listeners_;
    lock.unlock();
    for (const auto& listener : listeners) listener(tx);
    return {};
  }
  TransactionPtr find(const Hash32& hash) const override {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(hash);
    return found == pending_.end() ? nullptr : found->second;
  }
  std::vector<TransactionPtr> best(const uint256&, std::uint64_t) const override {
    const std::lock_guard lock(mutex_);
    std::vector<TransactionPtr> out;
    for (const auto& [hash, tx] : pending_) out.push_back(tx);
    return out;
  }
  std::uint64_t next_nonce(const Address& sender) const override {
    const std::lock_guard lock(mutex_);
    std::uint64_t nonce = nonce_of(sender);
    for (const auto& [hash, tx] : pending_)
      if (tx->sender == sender) nonce = std::max(nonce, tx->tx.nonce + 1);
    return nonce;
  }
  MempoolStats stats() const override {
    const std::lock_guard lock(mutex_);
    return {pending_.size(), 0, 0};
  }
  /// What follows the account's nonce without a gap is pending.
  MempoolAccount content_of(const Address& sender) const override {
    const std::lock_guard lock(mutex_);
    std::map<std::uint64_t, TransactionPtr> by_nonce;
    for (const auto& [hash, tx] : pending_)
      if (tx->sender == sender) by_nonce[tx->tx.nonce] = tx;
    MempoolAccount out{sender, {}, {}};
    std::uint64_t next = nonce_of(sender);
    for (const auto& [nonce, tx] : by_nonce) (nonce == next ? (++next, out.pending) : out.queued).push_back(tx);
    return out;
  }
  std::vector<MempoolAccount> content(std::size_t limit) const override {
    std::set<Address> senders;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [hash, tx] : pending_) senders.insert(tx->sender);
    }
    std::vector<MempoolAccount> out;
    for (const auto& sender : senders)
      if (out.size() < limit) out.push_back(content_of(sender));
    return out;
  }
  bool has_work() const override { return stats().pending > 0; }
  void on_block(const StoredBlock& block) override {
    const std::lock_guard lock(mutex_);
    for (const auto& tx : block.block.transactions) pending_.erase(tx->hash);
  }
  void on_added(std::function<void(TransactionPtr)> listener) override {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
  }

 private:
  [[nodiscard]] std::uint64_t nonce_of(const Address& sender) const {
    const auto account = ledger_.account(sender, 0);
    return account ? account->nonce : 0;
  }
  const FakeLedger& ledger_;
  mutable std::mutex mutex_;
  std::map<Hash32, TransactionPtr> pending_;
  std::vector<std::function<void(TransactionPtr)>> listeners_;
};

}  // namespace bonus::chain::testing
