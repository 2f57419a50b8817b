// The pool itself. Internal to the module.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>

#include "bonus/chain/mempool/mempool.hpp"

namespace bonus::chain::mempool {

/// effective gas price - base fee, for a fee cap of at least `base_fee`.
[[nodiscard]] uint256 effective_tip(const Transaction& tx, const uint256& base_fee);

/// One mutex guards everything; the ledger is read and listeners are called without it.
class Pool final : public Mempool {
 public:
  Pool(const LedgerReader& ledger, const MempoolLimits& limits);
  [[nodiscard]] Result<> add(TransactionPtr tx) override;
  [[nodiscard]] TransactionPtr find(const Hash32& hash) const override;
  [[nodiscard]] std::vector<TransactionPtr> best(const uint256& base_fee, std::uint64_t gas_limit) const override;
  [[nodiscard]] std::uint64_t next_nonce(const Address& sender) const override;
  [[nodiscard]] MempoolStats stats() const override;
  [[nodiscard]] std::vector<MempoolAccount> content(std::size_t limit) const override;
  [[nodiscard]] MempoolAccount content_of(const Address& sender) const override;
  [[nodiscard]] bool has_work() const override;
  void on_block(const StoredBlock& block) override;
  void on_added(std::function<void(TransactionPtr)> listener) override;

 private:
  /// What is dropped first: a fee cap below the base fee before any other (the lowest cap first), then the lowest
  /// effective tip, then the latest.
  using Rank = std::tuple<bool, uint256, std::uint64_t>;
  struct Entry {
    TransactionPtr tx;
    std::size_t bytes = 0;
    uint256 cost;                      ///< gas limit * fee cap + value.
    std::vector<Address> authorities;  ///< Whom it would give a delegation (type 4), each once.
    std::uint64_t sequence = 0;        ///< Order of arrival.
    UnixSeconds added = 0;             ///< Timestamp of the head then.
    Rank rank;                         ///< Its key in by_rank_.
  };
  using Queue = std::map<std::uint64_t, Entry>;  ///< By nonce.
  struct Sender {
    std::uint64_t nonce = 0;     ///< Of the state.
    std::size_t executable = 0;  ///< Entries from `nonce` on without a gap, up to the bound.
    uint256 cost;                ///< Of all entries.
    Queue queue;
    std::size_t counted = 0;  ///< What pending_ holds of it.
    bool ready = false;       ///< Counted in ready_: the first entry could enter the next block.
  };
  using Senders = std::map<Address, Sender>;

  [[nodiscard]] Result<Entry> checked(TransactionPtr tx) const;
  [[nodiscard]] Result<> check_account(const Entry& entry, const Account& account) const;
  [[nodiscard]] Result<> insert(Entry entry, const Account& account);
  [[nodiscard]] Result<> check_funds(const Entry& entry, const Entry* replaced, const Sender* sender,
                                     const Account& account) const;
  [[nodiscard]] Result<> check_delegations(const Entry& entry, std::uint64_t nonce, const Sender* sender,
                                           const Account& account) const;
  [[nodiscard]] Result<> check_replacement(const Entry& entry, const Entry& replaced) const;
  [[nodiscard]] Result<> check_room(const Sender& sender, std::uint64_t nonce) const;
  [[nodiscard]] Result<> make_room(const Entry& entry);
  [[nodiscard]] Rank rank(const Entry& entry) const;
  /// Orders by_rank_ by the present base fee. Only a full pool needs it.
  void rank_again();
  void put(Sender& sender, Entry entry);
  void drop(Senders::iterator sender, Queue::iterator entry);
  /// Brings the counts of a sender up to date; removes it when nothing is left.
  void settle(Senders::iterator sender);
  void refresh(Senders::iterator sender, const Account& account);
  void expire_queued(UnixSeconds now);
  [[nodiscard]] bool is_ready(const Sender& sender) const;
  /// Those of our senders whose account the block may have changed.
  [[nodiscard]] std::set<Address> touched_by(const StoredBlock& block) const;
  [[nodiscard]] static MempoolAccount copy(const Address& address, const Sender& sender, std::size_t limit);

  const LedgerReader& ledger_;
  const MempoolLimits limits_;

  mutable std::mutex mutex_;
  Senders senders_;
  std::unordered_map<Hash32, TransactionPtr> by_hash_;
  std::map<Rank, Address> by_rank_;
  std::map<Address, std::size_t> authorities_;  ///< How many waiting transactions would give it a delegation.
  std::set<Address> delegated_;                 ///< Of our senders: those that had code when last looked at.
  std::size_t bytes_ = 0;
  std::size_t pending_ = 0;  ///< Executable entries.
  std::size_t ready_ = 0;    ///< Senders of whom something could enter the next block.
  std::uint64_t next_sequence_ = 0;
  uint256 next_base_fee_;
  uint256 ranked_base_fee_;  ///< By which by_rank_ is ordered.
  UnixSeconds head_time_ = 0;
  std::uint64_t head_number_ = 0;
  std::vector<std::function<void(TransactionPtr)>> listeners_;
};

}  // namespace bonus::chain::mempool
