// The pool itself. Internal to the module.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "bonus/chain/mempool/mempool.hpp"

namespace bonus::chain::mempool {

/// One mutex guards everything; listeners are called without it.
class Pool final : public Mempool {
 public:
  Pool(const LedgerReader& ledger, const ContractRegistry& registry, const MempoolLimits& limits);
  [[nodiscard]] Result<> add(TransactionPtr tx) override;
  [[nodiscard]] TransactionPtr find(const Hash32& hash) const override;
  [[nodiscard]] std::vector<TransactionPtr> best(const uint256& base_fee, std::uint64_t gas_limit) const override;
  [[nodiscard]] std::uint64_t next_nonce(const Address& sender) const override;
  [[nodiscard]] MempoolStats stats() const override;
  [[nodiscard]] bool has_work() const override;
  void on_block(const StoredBlock& block) override;
  void on_added(std::function<void(TransactionPtr)> listener) override;

 private:
  struct Entry {
    TransactionPtr tx;
    std::size_t bytes = 0;
    uint256 cost;                ///< gas limit * fee cap + value.
    std::uint64_t sequence = 0;  ///< Order of arrival.
    UnixSeconds added = 0;       ///< Timestamp of the head then.
  };
  using Queue = std::map<std::uint64_t, Entry>;  ///< By nonce.
  struct Sender {
    std::uint64_t nonce = 0;     ///< Of the state.
    std::size_t executable = 0;  ///< Entries from `nonce` on without a gap.
    uint256 cost;                ///< Of all entries.
    Queue queue;
  };
  using Senders = std::map<Address, Sender>;
  using Rank = std::pair<uint256, std::uint64_t>;  ///< Fee, then arrival: the first is the cheapest.

  [[nodiscard]] Result<Entry> checked(TransactionPtr tx) const;
  [[nodiscard]] Result<> insert(Entry entry, const Account& account);
  [[nodiscard]] Result<> check_room(const Sender& sender, std::uint64_t nonce) const;
  [[nodiscard]] Result<> make_room(const Entry& entry);
  [[nodiscard]] static Rank rank(const Entry& entry);
  void put(Sender& sender, Entry entry);
  void drop(Senders::iterator sender, Queue::iterator entry);
  /// Recounts what can run; removes the sender when nothing is left.
  void settle(Senders::iterator sender);
  void refresh(Senders::iterator sender, const Account& account);
  void expire_queued(UnixSeconds now);

  const LedgerReader& ledger_;
  const ContractRegistry& registry_;
  const MempoolLimits limits_;

  mutable std::mutex mutex_;
  Senders senders_;
  std::unordered_map<Hash32, TransactionPtr> by_hash_;
  std::map<Rank, Address> by_rank_;
  std::size_t bytes_ = 0;
  std::uint64_t next_sequence_ = 0;
  uint256 next_base_fee_;
  UnixSeconds head_time_ = 0;
  std::vector<std::function<void(TransactionPtr)>> listeners_;
};

}  // namespace bonus::chain::mempool
