// The Ethereum ledger's implementation. Internal to ledger_*.cpp.
#pragma once

#include <map>
#include <mutex>

#include "bonus/chain/eth/ledger.hpp"
#include "bonus/chain/eth/nodes.hpp"
#include "bonus/chain/eth/process.hpp"
#include "bonus/chain/eth/records.hpp"
#include "bonus/chain/state/set_cache.hpp"
#include "bonus/chain/state/store.hpp"

namespace bonus::chain::eth {

/// Nodes and code of the store by their hashes, which are checked when something is read from disk.
class StoreNodes final : public NodesAndCode {
 public:
  StoreNodes(const state::Store& store, std::size_t cache_entries) : store_(store), cache_(cache_entries) {}
  [[nodiscard]] Result<state::StoredNode> node(BytesView place, const Hash32& hash) const override;
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> code(const Hash32& hash) const override;

 private:
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> read(state::Table table, const Hash32& hash,
                                                          const char* what) const;
  const state::Store& store_;
  // Shared: see StoredNode and StateView::code().
  mutable state::SetCache<Hash32, std::shared_ptr<const Bytes>, CacheHasher> cache_;
};

class EthLedgerImpl final : public EthLedger, public Ancestry {
 public:
  EthLedgerImpl(const EthLedgerOptions& options, std::unique_ptr<state::Store> store);
  [[nodiscard]] Result<> start(const EthLedgerOptions& options);

  [[nodiscard]] Result<Appended> append(BytesView rlp) override;
  [[nodiscard]] Result<> sync() override;
  [[nodiscard]] Result<Built> build(const BuildOptions& options) const override;
  [[nodiscard]] const ChainConfig& config() const override { return genesis_.config; }
  [[nodiscard]] Rules next_rules() const override;
  [[nodiscard]] Result<Ancestor> ancestor(const Hash32& hash) const override;

  [[nodiscard]] const Genesis& genesis() const override { return facade_; }
  [[nodiscard]] Header head() const override;
  [[nodiscard]] Hash32 head_hash() const override;
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
  [[nodiscard]] Result<BlockContext> context(std::uint64_t number) const override;
  [[nodiscard]] std::vector<TimedFork> forks() const override;
  [[nodiscard]] bool burns_base_fee() const override { return true; }
  [[nodiscard]] Result<> before_transaction(
      std::uint64_t number, std::size_t index,
      const std::function<Result<>(const StateView&, const BlockContext&)>& use) const override;
  [[nodiscard]] Result<BlockContext> simulated_context(const Header& parent, Header& child) const override;
  [[nodiscard]] Result<Hash32> root_with(std::uint64_t number, const state::Journal& journal) const override;
  [[nodiscard]] Result<CallReply> call(const CallRequest& request, std::uint64_t number) const override;
  [[nodiscard]] Result<std::vector<FoundLog>> logs(const LogFilter& filter) const override;
  std::uint64_t subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) override;
  void unsubscribe(std::uint64_t id) override;

 private:
  using Record = std::shared_ptr<const BlockRecord>;  // Shared: the cache and readers hold the same immutable block.
  /// Hashes of this chain's blocks.
  class Hashes final : public BlockHashes {
   public:
    explicit Hashes(const EthLedgerImpl& ledger) : ledger_(ledger) {}
    [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override;

   private:
    const EthLedgerImpl& ledger_;
  };

  [[nodiscard]] Result<> create(const std::string& genesis_json);
  [[nodiscard]] Result<> resume(const std::string& genesis_json);
  [[nodiscard]] Record head_record() const;
  [[nodiscard]] Result<Record> record(std::uint64_t number) const;
  [[nodiscard]] Result<std::uint64_t> number_of(const Hash32& hash) const;
  [[nodiscard]] Result<Hash32> root_of(std::uint64_t number) const;
  [[nodiscard]] Result<std::vector<Receipt>> load_receipts(std::uint64_t number) const;
  [[nodiscard]] Result<> collect_logs(const LogFilter& filter, std::uint64_t number, std::vector<FoundLog>& out) const;
  void move_head(Record record);
  static void add_state(state::Batch& batch, const state::StateDiff& diff);
  static void add_block(state::Batch& batch, const Block& block, const Hash32& hash, BytesView raw,
                        const uint256& total_difficulty, const std::vector<Receipt>& receipts);

  const std::unique_ptr<state::Store> store_;
  const StoreNodes nodes_;
  mutable evm::ProgramCache programs_;
  const Hashes hashes_{*this};
  EthGenesis genesis_;
  Genesis facade_;  ///< What LedgerReader's users ask of a genesis: the chain id.

  mutable std::mutex mutex_;  ///< Guards what follows.
  Record head_;
  mutable std::map<std::uint64_t, Record> cache_;  ///< By number.
  std::map<std::uint64_t, std::function<void(std::shared_ptr<const StoredBlock>)>> listeners_;
  std::uint64_t next_listener_ = 1;
};

}  // namespace bonus::chain::eth
