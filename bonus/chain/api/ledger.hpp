// The ledger as its readers (RPC, market agents, gateway) and its writer (the consensus shell) see it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

namespace state {
class Journal;
}

struct StoredBlock {
  Block block;
  Hash32 hash;
  Bytes commit;  ///< Encoded consensus::CommitCert that made it final; empty for genesis.
  std::size_t size_bytes = 0;
};
struct StoredReceipt {
  Receipt receipt;
  TransactionPtr transaction;
  Hash32 block_hash;
  std::uint64_t block_number = 0;
  std::uint32_t index = 0;            ///< In the block.
  std::uint32_t first_log_index = 0;  ///< Of its first log in the block.
};
struct CallRequest {
  Address from{};
  std::optional<Address> to{};
  uint256 value{};
  Bytes data{};
  std::uint64_t gas = 50'000'000;
};
struct CallReply {
  bool success = false;
  Bytes output;
  std::uint64_t gas_used = 0;
  std::vector<Log> logs;
};
/// What eth_getProof shows (EIP-1186): RLP nodes from the root towards each key, also when it is absent.
struct StateProof {
  struct Slot {
    uint256 slot, value;
    std::vector<Bytes> nodes;  ///< Under account.storage_root; the key is keccak(slot, 32 bytes).
  };
  Account account;           ///< All zero when missing.
  std::vector<Bytes> nodes;  ///< Under the block's state root; the key is keccak(address).
  std::vector<Slot> slots;   ///< In the order asked.
};
struct LogFilter {
  std::uint64_t from_block = 0, to_block = 0;
  std::vector<Address> addresses{};           ///< Empty: any.
  std::vector<std::vector<Hash32>> topics{};  ///< Per position: empty = any, else one of.
  std::size_t limit = 10'000;                 ///< kExhausted when more would match.
};
/// Does the filter name this log (execution-apis, Filter)? Addresses and topics only.
[[nodiscard]] bool matches(const LogFilter& filter, const Log& log);
struct FoundLog {
  Log log;
  Hash32 block_hash, transaction_hash;
  std::uint64_t block_number = 0;
  std::uint32_t transaction_index = 0, log_index = 0;
};

/// A set of rules that begins at a point in time (EIP-7910).
struct TimedFork {
  UnixSeconds begins = 0;
  Revision revision = kBonusRevision;
  BlobSchedule blobs;
  std::uint32_t fork_hash = 0;                                      ///< EIP-2124, of what is in force then.
  std::vector<std::pair<std::string, Address>> system_contracts{};  ///< By EIP-7910's names.
};
/// Thread-safe. Every block named here is final. A number above the head is kNotFound.
class LedgerReader {
 public:
  virtual ~LedgerReader() = default;
  [[nodiscard]] virtual const Genesis& genesis() const = 0;
  [[nodiscard]] virtual Header head() const = 0;
  [[nodiscard]] virtual Hash32 head_hash() const = 0;
  [[nodiscard]] virtual Result<std::shared_ptr<const StoredBlock>> block(std::uint64_t number) const = 0;
  [[nodiscard]] virtual Result<std::shared_ptr<const StoredBlock>> block(const Hash32& hash) const = 0;
  [[nodiscard]] virtual Result<StoredReceipt> receipt(const Hash32& transaction) const = 0;
  [[nodiscard]] virtual Result<std::vector<StoredReceipt>> receipts(std::uint64_t number) const = 0;
  /// State after block `number`; a missing account is all zero.
  [[nodiscard]] virtual Result<Account> account(const Address& address, std::uint64_t number) const = 0;
  [[nodiscard]] virtual Result<uint256> storage(const Address& address, const uint256& slot,
                                                std::uint64_t number) const = 0;
  /// The code of the account in the state after block `number`; empty when it has none. Never null.
  [[nodiscard]] virtual Result<std::shared_ptr<const Bytes>> code(const Address& address,
                                                                  std::uint64_t number) const = 0;
  /// kNotFound ("missing trie node ...") when the nodes of that state are pruned.
  [[nodiscard]] virtual Result<StateProof> proof(const Address& address, const std::vector<uint256>& slots,
                                                 std::uint64_t number) const = 0;
  /// Runs `use` on the state after block `number` and returns what it returns, or the first storage error that the view
  /// met. The view ends with the call. A long `use` on the head or a recent block delays the next commit: copy what is
  /// needed, or give it a deadline.
  [[nodiscard]] virtual Result<> with_state(std::uint64_t number,
                                            const std::function<Result<>(const StateView&)>& use) const = 0;
  /// The same for whatever may take long: it never delays a commit by more than one read.
  [[nodiscard]] virtual Result<> with_snapshot(std::uint64_t number,
                                               const std::function<Result<>(const StateView&)>& use) const {
    return with_state(number, use);
  }
  /// What block `number` was executed in; for the number after the head, what an honest next block would see: one
  /// second later, the base fee that must follow, the rest as in the head.
  [[nodiscard]] virtual Result<BlockContext> context(std::uint64_t number) const = 0;

  // For executions outside blocks (eth_call, tracing, simulation); kUnsupported where a ledger cannot do it.
  /// The system contracts; null: there are none.
  [[nodiscard]] virtual const ContractRegistry* natives() const { return nullptr; }
  /// The forks of Ethereum's schedule from Shanghai on, in their order; empty where one set of rules holds always.
  [[nodiscard]] virtual std::vector<TimedFork> forks() const { return {}; }
  /// The oldest block whose state can be read, and the oldest whose state can be proved.
  [[nodiscard]] virtual std::uint64_t oldest_state() const { return 0; }
  [[nodiscard]] virtual std::uint64_t oldest_proof() const { return 0; }
  /// Ethereum burns the base fee; on BonusChain the beneficiary gets it (ADR 0004).
  [[nodiscard]] virtual bool burns_base_fee() const { return false; }
  /// Like with_snapshot(), on the state in which transaction `index` of block `number` began: after what the block does
  /// first and the transactions before that one, which are executed anew. `index` may be the number of transactions.
  [[nodiscard]] virtual Result<> before_transaction(
      std::uint64_t number, std::size_t index,
      const std::function<Result<>(const StateView&, const BlockContext&)>& use) const {
    (void)number, (void)index, (void)use;
    return fail(ErrorCode::kUnsupported, "this ledger cannot execute its blocks again");
  }
  /// What the rules say of a block after `parent` with the number and the time of `child`: fills its form, base fee and
  /// blob gas, and returns what it is executed in. Neither needs to be on the chain; `parent` may be a simulated block.
  [[nodiscard]] virtual Result<BlockContext> simulated_context(const Header& parent, Header& child) const {
    (void)parent, (void)child;
    return fail(ErrorCode::kUnsupported, "this ledger simulates no blocks");
  }
  /// The state root with all changes of `journal`, whose base is the state after block `number`. Takes no lock, so that
  /// it may be asked inside with_state().
  [[nodiscard]] virtual Result<Hash32> root_with(std::uint64_t number, const state::Journal& journal) const {
    (void)number, (void)journal;
    return fail(ErrorCode::kUnsupported, "this ledger computes no state roots for simulations");
  }

  /// Runs on the state after block `number`, in the context of that block, and changes nothing.
  [[nodiscard]] virtual Result<CallReply> call(const CallRequest& request, std::uint64_t number) const = 0;
  [[nodiscard]] virtual Result<std::vector<FoundLog>> logs(const LogFilter& filter) const = 0;
  /// Called after each new head, on the writer's thread: post elsewhere, do not block. Returns an id for unsubscribe.
  virtual std::uint64_t subscribe(std::function<void(std::shared_ptr<const StoredBlock>)> listener) = 0;
  virtual void unsubscribe(std::uint64_t id) = 0;
};

struct BuildInput {
  UnixSeconds timestamp = 0;
  std::uint32_t round = 0;
  std::uint16_t proposer = 0;
  Address beneficiary;
  crypto::VrfProof vrf_proof;
  Hash32 randao;  ///< From the VRF output of the proof.
  Bytes last_commit;
  std::vector<TransactionPtr> candidates;  ///< In the order to try; those that do not apply are left out.
};

/// The writer's side. One thread writes; build() and validate() may run beside readers.
class Ledger : public LedgerReader {
 public:
  [[nodiscard]] virtual Result<Block> build(const BuildInput& input) = 0;
  /// Executes against the head; every header field that execution or the parent determines must fit. Remembers the
  /// post-state of the last few validated blocks so that commit() need not execute again.
  [[nodiscard]] virtual Result<Hash32> validate(const Block& block) = 0;
  /// Durable on return. The block must build on the head; `commit` has been verified by the caller.
  [[nodiscard]] virtual Result<> commit(const Block& block, BytesView commit) = 0;
};

struct MempoolStats {
  std::size_t pending = 0, queued = 0, bytes = 0;
};
/// What waits of one sender, in nonce order.
struct MempoolAccount {
  Address sender;
  std::vector<TransactionPtr> pending;  ///< Could run one after the other, as far as nonces go.
  std::vector<TransactionPtr> queued;   ///< Behind a gap.
};
/// Thread-safe, bounded. Errors carry geth's texts where tools parse them ("nonce too low", "insufficient funds for gas
/// * price + value", "replacement transaction underpriced", "already known", "in-flight transaction limit reached for
/// delegated accounts", ...).
class Mempool {
 public:
  virtual ~Mempool() = default;
  /// `recovered` senders only. Calls the `on_added` listener for gossip when it is new.
  [[nodiscard]] virtual Result<> add(TransactionPtr tx) = 0;
  [[nodiscard]] virtual TransactionPtr find(const Hash32& hash) const = 0;
  /// Candidates for a block of `gas_limit`: executable transactions by effective tip, nonce order kept per sender, as
  /// many as could fit if each used the least that one can. How many do fit, only execution shows.
  [[nodiscard]] virtual std::vector<TransactionPtr> best(const uint256& base_fee, std::uint64_t gas_limit) const = 0;
  [[nodiscard]] virtual std::uint64_t next_nonce(
      const Address& sender) const = 0;  ///< Of the state plus what is pending here.
  [[nodiscard]] virtual MempoolStats stats() const = 0;
  /// A copy of what waits, by sender in address order: at most `limit` transactions, the last account perhaps cut off.
  [[nodiscard]] virtual std::vector<MempoolAccount> content(std::size_t limit) const {
    (void)limit;
    return {};
  }
  /// The same of one sender; empty lists when nothing of it waits.
  [[nodiscard]] virtual MempoolAccount content_of(const Address& sender) const { return {sender, {}, {}}; }
  [[nodiscard]] virtual bool has_work() const = 0;  ///< Something could enter the next block, by nonce and base fee.
  virtual void on_block(const StoredBlock& block) = 0;  ///< Drops what is mined or no longer valid.
  virtual void on_added(std::function<void(TransactionPtr)> listener) = 0;
};

}  // namespace bonus::chain
