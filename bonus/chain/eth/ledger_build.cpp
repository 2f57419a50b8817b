// What an Ethereum ledger says of its forks, and blocks built on it without appending them.
#include <fmt/format.h>

#include <set>

#include "bonus/chain/eth/ledger_impl.hpp"
#include "bonus/chain/eth/requests.hpp"

namespace bonus::chain::eth {
namespace {

constexpr std::uint64_t kWantedGasLimit = 60'000'000;
constexpr std::uint64_t kGasLimitDivisor = 1'024;

/// As far towards the wanted limit as one block may go.
std::uint64_t next_gas_limit(std::uint64_t parent) {
  const std::uint64_t most = std::max<std::uint64_t>(parent / kGasLimitDivisor, 1) - 1;
  if (parent < kWantedGasLimit) return std::min(parent + most, kWantedGasLimit);
  return std::max(parent - most, kWantedGasLimit);
}

}  // namespace

std::vector<TimedFork> EthLedgerImpl::forks() const {
  std::set<UnixSeconds> times;
  for (const std::size_t first = static_cast<std::size_t>(Revision::kShanghai);
       const auto& begins : std::span(config().begins).subspan(first))
    if (begins) times.insert(*begins);
  for (const auto& fork : config().blob_forks) times.insert(fork.timestamp);
  std::vector<TimedFork> out;
  for (const UnixSeconds time : times) {
    const Rules rules = config().at(UINT64_MAX, time, true);
    out.push_back({.begins = time,
                   .revision = rules.revision,
                   .blobs = rules.blobs,
                   .fork_hash = config().fork_hash(genesis_.header, UINT64_MAX, time),
                   .system_contracts = system_contracts(rules, config().deposit_contract)});
  }
  return out;
}

Result<EthLedger::Built> EthLedgerImpl::build(const BuildOptions& options) const {
  TRY_ASSIGN(const Ancestor parent, ancestor(options.parent));
  Built out;
  Header& h = out.block.header;
  h.parent_hash = parent.hash;
  h.ommers_hash = kEmptyOmmersHash;
  h.beneficiary = options.beneficiary;
  h.number = parent.header.number + 1;
  h.timestamp = options.timestamp;
  h.prev_randao = options.randao;
  h.extra_data = options.extra_data;
  if (h.timestamp <= parent.header.timestamp)
    return fail(ErrorCode::kConflict,
                fmt::format("invalid timestamp, parent {} given {}", parent.header.timestamp, h.timestamp));
  const Rules rules = config().at(h.number, h.timestamp, true);
  TRY(check_merge(h, parent.total_difficulty, config()));
  h.form = rules.form;
  h.gas_limit = next_gas_limit(parent.header.gas_limit);
  h.base_fee = next_base_fee(parent.header, rules);
  h.excess_blob_gas = next_excess_blob_gas(parent.header, rules);
  h.parent_beacon_root = options.beacon_root;
  if (rules.since(Revision::kShanghai)) out.block.withdrawals = options.withdrawals;
  h.withdrawals_root = withdrawals_root(out.block.withdrawals);

  const ParentHashes hashes(*this, parent.header, parent.hash);
  const NodeView base(nodes_, parent.header.state_root);
  BlockExecution execution(base, nodes_, parent.header.state_root, make_context(h, rules, config().chain_id, &hashes),
                           rules, {.programs = &programs_, .tracer = nullptr, .tolerate_missing_contracts = false});
  execution.begin(h.parent_beacon_root, h.parent_hash);
  std::vector<Receipt> receipts;
  for (const auto& tx : options.transactions) {
    auto receipt = execution.apply(*tx);
    if (!receipt && options.skip_invalid && receipt.error().code != ErrorCode::kCorrupt) continue;
    if (!receipt) return fail(std::move(receipt).error());
    out.tips += uint256(receipt->gas_used) * (receipt->effective_gas_price - h.base_fee);
    out.block.transactions.push_back(tx);
    receipts.push_back(*std::move(receipt));
  }
  const Payments payments{.reward = std::nullopt, .ommers = {}, .withdrawals = out.block.withdrawals};
  TRY_ASSIGN(out.requests, execution.finish(payments, config().deposit_contract, receipts));
  TRY_ASSIGN(const state::StateDiff diff, execution.diff());
  h.gas_used = execution.gas_used();
  h.blob_gas_used = execution.blob_gas_used();
  h.transactions_root = transactions_root(out.block.transactions);
  h.receipts_root = receipts_root(receipts);
  h.logs_bloom = logs_bloom(receipts);
  h.requests_hash = requests_hash(out.requests);
  h.state_root = diff.root;
  return out;
}

}  // namespace bonus::chain::eth
