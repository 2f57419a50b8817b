// The state transition tool.
#include "bonus/chain/eth/transition_tool.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/nodes.hpp"
#include "bonus/chain/eth/process.hpp"
#include "bonus/chain/eth/requests.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

/// What geth's t8n shows as the hash of the block, which has none yet.
constexpr Hash32 kBlockHash = {{0x13, 0x37}};

std::string quantity(std::uint64_t value) { return fmt::format("0x{:x}", value); }

/// The hashes of the environment; remembers what it was asked for in vain.
class EnvHashes final : public BlockHashes {
 public:
  explicit EnvHashes(const std::map<std::uint64_t, Hash32>& hashes) : hashes_(hashes) {}
  [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override {
    const auto found = hashes_.find(number);
    if (found != hashes_.end()) return found->second;
    missing_ = number;
    return {};
  }
  [[nodiscard]] const std::optional<std::uint64_t>& missing() const { return missing_; }

 private:
  const std::map<std::uint64_t, Hash32>& hashes_;
  mutable std::optional<std::uint64_t> missing_;
};

/// A transaction of the input, or why it is none.
using Candidate = Result<SenderTransaction>;

Candidate with_sender(Transaction tx, const Hash32& hash, Revision revision) {
  auto sender = sender_under(tx, revision);
  if (!sender) return fail(std::move(sender).error());
  return SenderTransaction{std::move(tx), *sender, hash};
}

Result<std::vector<Candidate>> read_objects(const json::array& items, const TransitionInput& input, Revision revision) {
  std::vector<Candidate> out;
  for (const auto& item : items) {
    TRY_ASSIGN(const auto* object, as_object(item, fmt::format("transaction {}", out.size())));
    auto tx = read_test_transaction(*object, input.config.chain_id);
    if (!tx) return fail(std::move(tx).error().wrap(fmt::format("transaction {}", out.size())));
    const Hash32 hash = tx->hash();
    out.push_back(with_sender(*std::move(tx), hash, revision));
  }
  return out;
}

Result<std::vector<Candidate>> read_rlp(const json::value& text, Revision revision) {
  TRY_ASSIGN(const Bytes raw, to_bytes(text));
  rlp::Decoder outer(raw);
  TRY_ASSIGN(rlp::Decoder items, outer.list());
  TRY(outer.expect_end());
  std::vector<Candidate> out;
  while (!items.at_end()) {
    TRY_ASSIGN(const BytesView one, items.next_is_list() ? items.raw_item() : items.bytes());
    auto tx = decode_transaction(one);
    out.push_back(tx ? with_sender(*std::move(tx), crypto::keccak256(one), revision)
                     : Candidate(fail(std::move(tx).error())));
  }
  return out;
}

Result<std::vector<Candidate>> read_transactions(const TransitionInput& input, Revision revision) {
  if (input.transactions.is_null()) return std::vector<Candidate>();
  if (input.transactions.is_string()) return read_rlp(input.transactions, revision);
  TRY_ASSIGN(const auto* items, as_array(input.transactions, "txs"));
  return read_objects(*items, input, revision);
}

Alloc alloc_after(const Alloc& before, const state::Journal& journal) {
  Alloc out = before;
  journal.accounts().for_each([&](const state::Journal::AccountEntry& entry) {
    if (is_missing(entry.now)) {
      out.erase(entry.address);
      return;
    }
    AllocAccount& account = out[entry.address];
    account.nonce = entry.now.nonce;
    account.balance = entry.now.balance;
    if (entry.code_changed) account.code = has_code(entry.now) ? *entry.code : Bytes();
    if (entry.storage_wiped) account.storage.clear();
  });
  journal.slots().for_each([&](const state::Journal::SlotEntry& slot) {
    const auto account = out.find(slot.key.contract);
    if (account == out.end()) return;
    if (slot.now.is_zero()) {
      account->second.storage.erase(slot.key.slot);
    } else {
      account->second.storage[slot.key.slot] = slot.now;
    }
  });
  return out;
}

json::object write_log(const Log& log, const json::object& place, std::size_t index) {
  json::object out;
  out["address"] = to_hex0x(log.address);
  json::array topics;
  for (const Hash32& topic : log.topics) topics.emplace_back(to_hex0x(topic));
  out["topics"] = std::move(topics);
  out["data"] = to_hex0x(log.data);
  for (const auto& item : place) out[item.key()] = item.value();
  out["logIndex"] = quantity(index);
  out["removed"] = false;
  return out;
}

/// One block in the making.
class Transition {
 public:
  Transition(const TransitionInput& input, TransitionEnv env, const MemoryNodes& nodes, const Hash32& root)
      : input_(input),
        env_(std::move(env)),
        hashes_(env_.block_hashes),
        base_(nodes, root),
        execution_(base_, nodes, root, make_context(env_.header, env_.rules, input.config.chain_id, &hashes_),
                   env_.rules, {.programs = nullptr, .tracer = input.tracer, .tolerate_missing_contracts = true}) {}

  [[nodiscard]] Result<TransitionOutput> run() {
    TRY_ASSIGN(const auto candidates, read_transactions(input_, env_.rules.revision));
    begin();
    for (std::size_t i = 0; i < candidates.size(); ++i) TRY(apply(i, candidates[i]));
    Payments payments{.reward = input_.reward, .ommers = env_.ommers, .withdrawals = env_.withdrawals};
    TRY_ASSIGN(const auto requests, execution_.finish(payments, input_.config.deposit_contract, receipts_));
    TRY_ASSIGN(const state::StateDiff diff, execution_.diff());
    TransitionOutput out;
    out.alloc = alloc_after(input_.alloc, execution_.machine().journal());
    out.result = result(diff.root, requests);
    rlp::Encoder body;
    body.begin_list();
    for (const auto& tx : included_) body.raw(encode_in_list(tx->tx));
    body.end_list();
    out.body = body.take();
    return out;
  }

 private:
  void begin() {
    // The parent's hash goes into the history contract if it is known, as geth does it.
    std::optional<Hash32> parent_hash;
    const auto parent = env_.block_hashes.find(env_.header.number - 1);
    if (parent != env_.block_hashes.end()) parent_hash = parent->second;
    execution_.begin(env_.beacon_root, parent_hash);
  }

  [[nodiscard]] Result<> apply(std::size_t index, const Candidate& candidate) {
    if (!candidate) {
      reject(index, candidate.error().message);
      return {};
    }
    if (input_.on_transaction) input_.on_transaction(index, candidate->hash);
    auto receipt = execution_.apply(*candidate);
    if (hashes_.missing())
      return fail(ErrorCode::kNotFound,
                  fmt::format("getHash({}) invoked, blockhash for that block not provided", *hashes_.missing()));
    if (!receipt) {
      if (receipt.error().code == ErrorCode::kCorrupt) return fail(std::move(receipt).error());
      reject(index, receipt.error().message);
      return {};
    }
    if (input_.on_receipt) input_.on_receipt(*receipt);
    receipts_.push_back(*std::move(receipt));
    included_.push_back(std::make_shared<const SenderTransaction>(*candidate));
    return {};
  }

  void reject(std::size_t index, const std::string& why) {
    json::object out;
    out["index"] = index;
    out["error"] = why;
    rejected_.emplace_back(std::move(out));
  }

  [[nodiscard]] json::object write_receipt(std::size_t index, std::size_t first_log) const {
    const Receipt& receipt = receipts_[index];
    const SenderTransaction& item = *included_[index];
    json::object place;
    place["blockNumber"] = quantity(env_.header.number);
    place["transactionHash"] = to_hex0x(item.hash);
    place["transactionIndex"] = quantity(index);
    place["blockHash"] = to_hex0x(kBlockHash);
    place["blockTimestamp"] = quantity(env_.header.timestamp);
    json::object out;
    if (receipt.type != 0) out["type"] = quantity(receipt.type);
    out["root"] = receipt.state_root ? to_hex0x(*receipt.state_root) : "0x";
    out["status"] = receipt.success ? "0x1" : "0x0";
    out["cumulativeGasUsed"] = quantity(receipt.cumulative_gas);
    out["logsBloom"] = to_hex0x(receipt.bloom());
    json::array logs;
    for (const Log& log : receipt.logs) logs.emplace_back(write_log(log, place, first_log++));
    out["logs"] = std::move(logs);
    out["transactionHash"] = to_hex0x(item.hash);
    const Address created = item.tx.to ? Address() : evm::create_address(item.sender, item.tx.nonce);
    out["contractAddress"] = to_hex0x(created);
    out["gasUsed"] = quantity(receipt.gas_used);
    out["effectiveGasPrice"] = nullptr;
    out["blockHash"] = to_hex0x(kBlockHash);
    out["blockNumber"] = quantity(env_.header.number);
    out["transactionIndex"] = quantity(index);
    return out;
  }

  [[nodiscard]] json::object result(const Hash32& root, const std::vector<Bytes>& requests) const {
    json::object out;
    out["stateRoot"] = to_hex0x(root);
    out["txRoot"] = to_hex0x(transactions_root(included_));
    out["receiptsRoot"] = to_hex0x(receipts_root(receipts_));
    std::vector<Log> logs;
    json::array receipts;
    for (std::size_t i = 0; i < receipts_.size(); ++i) {
      receipts.emplace_back(write_receipt(i, logs.size()));
      logs.insert(logs.end(), receipts_[i].logs.begin(), receipts_[i].logs.end());
    }
    out["logsHash"] = to_hex0x(crypto::keccak256(encode_logs(logs)));
    out["logsBloom"] = to_hex0x(logs_bloom(receipts_));
    out["receipts"] = std::move(receipts);
    if (!rejected_.empty()) out["rejected"] = rejected_;
    const bool proof_of_work = !env_.rules.since(Revision::kParis);
    out["currentDifficulty"] = proof_of_work ? json::value(env_.header.difficulty.to_quantity()) : json::value(nullptr);
    out["gasUsed"] = quantity(execution_.gas_used());
    if (env_.base_fee) out["currentBaseFee"] = env_.base_fee->to_quantity();
    if (env_.rules.since(Revision::kShanghai)) out["withdrawalsRoot"] = to_hex0x(withdrawals_root(env_.withdrawals));
    if (env_.has_blob_gas) {
      out["currentExcessBlobGas"] = quantity(env_.header.excess_blob_gas);
      out["blobGasUsed"] = quantity(execution_.blob_gas_used());
    }
    if (env_.rules.since(Revision::kPrague)) {
      out["requestsHash"] = to_hex0x(requests_hash(requests));
      json::array list;
      for (const Bytes& request : requests) list.emplace_back(to_hex0x(request));
      out["requests"] = std::move(list);
    }
    return out;
  }

  const TransitionInput& input_;
  const TransitionEnv env_;
  const EnvHashes hashes_;
  const NodeView base_;
  BlockExecution execution_;
  std::vector<Receipt> receipts_;
  std::vector<TransactionPtr> included_;
  json::array rejected_;
};

}  // namespace

Result<TransitionOutput> run_transition(const TransitionInput& input) {
  TRY_ASSIGN(TransitionEnv env, read_transition_env(input.env, input.config));
  TRY_ASSIGN(const state::StateDiff before, make_genesis_state(input.alloc));
  MemoryNodes nodes;
  nodes.add(before);
  Transition transition(input, std::move(env), nodes, before.root);
  return transition.run();
}

}  // namespace bonus::chain::eth
