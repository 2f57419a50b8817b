// The ledger's implementation. Internal to ledger_*.cpp.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "bonus/chain/ledger/executor.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/views.hpp"

namespace bonus::chain::ledger {

using namespace state;  // NOLINT(google-build-using-namespace): the vocabulary of this module

/// A block after execution, ready to be committed.
struct ExecutedBlock {
  Block block;
  Hash32 hash;
  std::vector<Receipt> receipts;
  std::vector<Log> system_logs;
  StateDiff diff;
};

/// Locks: `state_mutex_` is held shared by whatever reads flat state and exclusively for the moment in which commit()
/// moves the head; `gate_` keeps a stream of readers from starving the writer. `small_mutex_` guards the small members
/// below it. Order: gate_, state_mutex_, small_mutex_.
class LedgerImpl final : public Ledger {
 public:
  LedgerImpl(Genesis genesis, const ContractRegistry& registry, const LedgerOptions& options,
             std::unique_ptr<Store> store);
  ~LedgerImpl() override;
  [[nodiscard]] Result<> start();

  [[nodiscard]] const Genesis& genesis() const override { return genesis_; }
  [[nodiscard]] Header head() const override { return head_info()->header; }
  [[nodiscard]] Hash32 head_hash() const override { return head_info()->hash; }
  [[nodiscard]] Result<std::shared_ptr<const StoredBlock>> block(std::uint64_t number) const override;
  [[nodiscard]] Result<std::shared_ptr<const StoredBlock>> block(const Hash32& hash) const override;
  [[nodiscard]] Result<StoredReceipt> receipt(const Hash32& transaction) const override;
  [[nodiscard]] Result<std::vector<StoredReceipt>> receipts(std::uint64_t number) const override;
  [[nodiscard]] Result<Account> account(const Address& address, std::uint64_t number) const override;
  [[nodiscard]] Result<uint256> storage(const Address& address, const uint256& slot,
                                        std::uint64_t number) const override;
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> code(const Address& address, std::uint64_t number) const override;
  [[nodiscard]] Result<StateProof> proof(const Address& address, const std::vector<uint256>& slots,
                                         std::uint64_t number) const override;
  [[nodiscard]] Result<> with_state(std::uint64_t number,
                                    const std::function<Result<>(const StateView&)>& use) const override;
  [[nodiscard]] Result<> with_snapshot(std::uint64_t number,
                                       const std::function<Result<>(const StateView&)>& use) const override;
  [[nodiscard]] Result<BlockContext> context(std::uint64_t number) const override;
  [[nodiscard]] const ContractRegistry* natives() const override { return &registry_; }
  [[nodiscard]] Result<> before_transaction(
      std::uint64_t number, std::size_t index,
      const std::function<Result<>(const StateView&, const BlockContext&)>& use) const override;
  [[nodiscard]] Result<BlockContext> simulated_context(const Header& parent, Header& child) const override;
  [[nodiscard]] Result<Hash32> root_with(std::uint64_t number, const Journal& journal) const override;
  [[nodiscard]] std::uint64_t oldest_state() const override { return std::min(first_history_.load(), oldest_proof()); }
  [[nodiscard]] std::uint64_t oldest_proof() const override { return first_trie_; }
  [[nodiscard]] Result<CallReply> call(const CallRequest& request, std::uint64_t number) const override;
  [[nodiscard]] Result<std::vector<FoundLog>> logs(const LogFilter& filter) const override;
  std::uint64_t subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) override;
  void unsubscribe(std::uint64_t id) override;

  [[nodiscard]] Result<Block> build(const BuildInput& input) override;
  [[nodiscard]] Result<Hash32> validate(const Block& block) override;
  [[nodiscard]] Result<> commit(const Block& block, BytesView commit) override;

  [[nodiscard]] Result<uint256> supply() const;
  [[nodiscard]] Result<Hash32> rebuild_root() const;
  [[nodiscard]] Result<> verify() const;

 private:
  struct Head {
    Header header;
    Hash32 hash;
    std::shared_ptr<const StoreSnapshot> snapshot;
  };
  class Hashes final : public BlockHashes {
   public:
    explicit Hashes(const LedgerImpl& ledger) : ledger_(ledger) {}
    [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override;

   private:
    const LedgerImpl& ledger_;
  };
  class PinnedView;
  using ReadLock = std::shared_lock<std::shared_mutex>;

  [[nodiscard]] ReadLock read_lock() const;
  /// Without waiting for anyone, and only while `number` is the head's; else an empty lock.
  [[nodiscard]] ReadLock try_read_lock(std::uint64_t number) const;
  [[nodiscard]] std::shared_ptr<const Head> head_info() const;
  [[nodiscard]] Result<> check_number(std::uint64_t number) const;

  // ledger_open.cpp
  [[nodiscard]] Result<> create_genesis();
  [[nodiscard]] Result<> resume();
  void warm_caches();
  [[nodiscard]] Block genesis_block(const Hash32& state_root) const;

  // ledger_history.cpp
  static void add_state(const ExecutedBlock& executed, Batch& out);
  [[nodiscard]] Result<> load_pruning();
  [[nodiscard]] Result<> load_recent();
  [[nodiscard]] Result<> prune();
  [[nodiscard]] Result<> prune_trie(std::uint64_t first, Batch& out);
  [[nodiscard]] Result<> prune_history(std::uint64_t first, Batch& out);
  [[nodiscard]] Error pruned(std::uint64_t number, std::uint64_t first, std::uint64_t keeps) const;

  // ledger_check.cpp
  [[nodiscard]] Result<> check_head() const;
  [[nodiscard]] Result<> check_sample() const;

  // ledger_read.cpp
  [[nodiscard]] Result<std::shared_ptr<const StoredBlock>> load_block(std::uint64_t number) const;
  void cache_block(const std::shared_ptr<const StoredBlock>& block) const;
  [[nodiscard]] Result<state::ReceiptsRecord> load_receipts(std::uint64_t number) const;
  /// Runs `use` on the state after block `number`, under the lock where that state needs it.
  template <class Use>
  [[nodiscard]] auto on_state(std::uint64_t number, const Use& use) const
      -> decltype(use(std::declval<const StateView&>()));
  [[nodiscard]] Result<> collect_logs(const LogFilter& filter, std::uint64_t number, std::vector<FoundLog>& out) const;
  [[nodiscard]] BlockContext context_of(const Header& header) const;

  // ledger_write.cpp
  [[nodiscard]] Result<> check_header(const Block& block, const Head& head) const;
  /// Of what was executed on the head, under the read lock. kInternal when a contract lost stored slots.
  [[nodiscard]] Result<StateDiff> state_diff(const Journal& journal, const Head& head) const;
  [[nodiscard]] Result<ExecutedBlock> execute(const Block& block, const Head& head) const;
  [[nodiscard]] Result<std::shared_ptr<ExecutedBlock>> validated(const Block& block);
  void remember_candidate(std::shared_ptr<ExecutedBlock> candidate);
  [[nodiscard]] Batch make_batch(const ExecutedBlock& executed, BytesView raw_block, BytesView commit) const;
  void move_head(const std::shared_ptr<ExecutedBlock>& executed);

  const Genesis genesis_;
  const ContractRegistry& registry_;
  const LedgerOptions options_;
  const std::unique_ptr<Store> store_;
  StoredNodes nodes_;
  StoredCodes codes_;
  mutable evm::ProgramCache programs_;
  const Hashes hashes_{*this};
  mutable HeadCaches caches_;

  mutable std::mutex gate_;
  mutable std::shared_mutex state_mutex_;
  std::deque<std::shared_ptr<const StateDiff>> recent_;  ///< Diffs of the last blocks, newest last; under state_mutex_.
  // Moved by the writer after the head; a reader that holds the head's snapshot may read what is pruned meanwhile.
  std::atomic<std::uint64_t> first_history_ = 0;  ///< The oldest state that the history tables know.
  std::atomic<std::uint64_t> first_trie_ = 0;     ///< The oldest state whose nodes are all there.

  mutable std::mutex small_mutex_;
  std::shared_ptr<const Head> head_;
  std::deque<std::shared_ptr<ExecutedBlock>> candidates_;  // Shared: validate() of another thread may still read one.
  mutable std::map<std::uint64_t, std::shared_ptr<const StoredBlock>> block_cache_;
  mutable std::deque<std::uint64_t> block_cache_order_;
  std::map<std::uint64_t, std::function<void(std::shared_ptr<const StoredBlock>)>> listeners_;
  std::uint64_t next_listener_ = 1;
};

}  // namespace bonus::chain::ledger
