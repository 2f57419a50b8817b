// Block validity.
#include "bonus/chain/eth/process.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/eth/requests.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::eth {
namespace {

constexpr std::size_t kMaxBlockRlpBytes =
    (10 << 20) - (2 << 20);  // EIP-7934: 10 MiB less a margin for the beacon block

Result<> same_root(const char* field, const Hash32& have, const Hash32& want) {
  if (have == want) return {};
  return fail(ErrorCode::kInvalid,
              fmt::format("header field {}: have {}, want {}", field, to_hex0x(have), to_hex0x(want)));
}

Result<> same_number(const char* field, std::uint64_t have, std::uint64_t want) {
  if (have == want) return {};
  return fail(ErrorCode::kInvalid, fmt::format("header field {}: have {}, want {}", field, have, want));
}

Result<> check_body(const Block& block, const Rules& rules) {
  const Header& header = block.header;
  TRY(same_root("transactionsRoot", header.transactions_root, transactions_root(block.transactions)));
  TRY(same_root("sha3Uncles", header.ommers_hash, ommers_hash(block.ommers)));
  if (header.has(HeaderForm::kShanghai)) {
    TRY(same_root("withdrawalsRoot", header.withdrawals_root, withdrawals_root(block.withdrawals)));
  } else if (!block.withdrawals.empty()) {
    return fail(ErrorCode::kInvalid, "block has withdrawals before Shanghai");
  }
  if (rules.since(Revision::kOsaka)) {
    if (const std::size_t size = encode_ethereum_block(block).size(); size > kMaxBlockRlpBytes)
      return fail(ErrorCode::kInvalid, fmt::format("block of {} bytes, limit {}", size, kMaxBlockRlpBytes));
  }
  return {};
}

Result<> check_results(const Header& header, const ProcessedBlock& done, const BlockExecution& execution) {
  TRY(same_number("gasUsed", header.gas_used, execution.gas_used()));
  TRY(same_root("receiptsRoot", header.receipts_root, receipts_root(done.receipts)));
  if (header.logs_bloom != logs_bloom(done.receipts))
    return fail(ErrorCode::kInvalid, "header field logsBloom: not the one of the receipts");
  if (header.has(HeaderForm::kCancun)) TRY(same_number("blobGasUsed", header.blob_gas_used, execution.blob_gas_used()));
  if (header.has(HeaderForm::kPrague))
    TRY(same_root("requestsHash", header.requests_hash, requests_hash(done.requests)));
  return same_root("stateRoot", header.state_root, done.state.root);
}

}  // namespace

Hash32 ParentHashes::block_hash(std::uint64_t number) const {
  if (number > parent_.number) return {};
  Hash32 hash = parent_hash_;
  Header header = parent_;
  while (header.number > number) {
    hash = header.parent_hash;
    if (header.number - 1 == number) break;
    auto above = ancestry_.ancestor(hash);
    if (!above) return {};
    header = std::move(above->header);
  }
  return hash;
}

Result<Block> with_senders(BareEthereumBlock bare, const ChainConfig& config) {
  const Rules rules = config.of(bare.block.header);
  if (bare.has_withdrawals != bare.block.header.has(HeaderForm::kShanghai)) {
    return fail(ErrorCode::kInvalid, bare.has_withdrawals ? "block has a list of withdrawals, but no root of them"
                                                          : "block has a root of withdrawals, but no list of them");
  }
  Block out = std::move(bare.block);
  out.transactions.reserve(bare.transactions.size());
  for (auto& item : bare.transactions) {
    auto sender = sender_under(item.tx, rules.revision);
    if (!sender) return fail(std::move(sender).error().wrap(fmt::format("transaction {}", out.transactions.size())));
    // Shared: block, receipts and mempool hold the same immutable object.
    out.transactions.push_back(
        std::make_shared<const SenderTransaction>(SenderTransaction{std::move(item.tx), *sender, item.hash}));
  }
  return out;
}

Result<ProcessedBlock> execute_block(const Block& block, BlockExecution& execution, const ChainConfig& config) {
  const Header& header = block.header;
  const Rules rules = config.of(header);
  execution.begin(header.parent_beacon_root, header.parent_hash);
  ProcessedBlock out;
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    auto receipt = execution.apply(*block.transactions[i]);
    if (!receipt) {
      Error error = std::move(receipt).error().wrap(fmt::format("transaction {}", i));
      if (error.code != ErrorCode::kCorrupt && error.code != ErrorCode::kIo) error.code = ErrorCode::kInvalid;
      return fail(std::move(error));
    }
    out.receipts.push_back(*std::move(receipt));
  }
  Payments payments{.reward = block_reward(rules.revision), .ommers = {}, .withdrawals = block.withdrawals};
  for (const Header& ommer : block.ommers) payments.ommers.push_back({ommer.beneficiary, header.number - ommer.number});
  TRY_ASSIGN(out.requests, execution.finish(payments, config.deposit_contract, out.receipts));
  TRY_ASSIGN(out.state, execution.diff());
  return out;
}

Result<ProcessedBlock> process_block(const Block& block, const Ancestor& parent, const ChainConfig& config,
                                     const StateView& base, const state::NodeSource& nodes, const Ancestry& ancestry,
                                     const ExecutionOptions& options) {
  const Header& header = block.header;
  TRY(same_root("parentHash", header.parent_hash, parent.hash));
  const Rules rules = config.of(header);
  TRY(check_merge(header, parent.total_difficulty, config));
  TRY(check_header(header, parent.header, config));
  TRY(check_body(block, rules));
  TRY(check_ommers(block, parent, config, ancestry));

  const ParentHashes hashes(ancestry, parent.header, parent.hash);
  const BlockContext context = make_context(header, rules, config.chain_id, &hashes);
  BlockExecution execution(base, nodes, parent.header.state_root, context, rules, options);
  TRY_ASSIGN(ProcessedBlock done, execute_block(block, execution, config));
  TRY(check_results(header, done, execution));
  return done;
}

Hash32 transactions_root(const std::vector<TransactionPtr>& transactions) {
  std::vector<Bytes> items;
  items.reserve(transactions.size());
  for (const auto& tx : transactions) items.push_back(tx->tx.encode());
  return state::ordered_root(items);
}

Hash32 receipts_root(const std::vector<Receipt>& receipts) {
  std::vector<Bytes> items;
  items.reserve(receipts.size());
  for (const Receipt& receipt : receipts) items.push_back(receipt.encode());
  return state::ordered_root(items);
}

Hash32 withdrawals_root(const std::vector<Withdrawal>& withdrawals) {
  std::vector<Bytes> items;
  items.reserve(withdrawals.size());
  for (const Withdrawal& withdrawal : withdrawals) items.push_back(encode_withdrawal(withdrawal));
  return state::ordered_root(items);
}

Bloom logs_bloom(const std::vector<Receipt>& receipts) {
  Bloom out;
  for (const Receipt& receipt : receipts)
    for (const Log& log : receipt.logs) add_to_bloom(out, log);
  return out;
}

}  // namespace bonus::chain::eth
