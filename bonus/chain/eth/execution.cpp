// Block execution by Ethereum's rules.
#include "bonus/chain/eth/execution.hpp"

#include <fmt/format.h>

#include "bonus/chain/eth/requests.hpp"

namespace bonus::chain::eth {
namespace {

constexpr Address kBeaconRoots = {{0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80, 0x7e, 0xf1, 0x31,
                                   0x9f, 0xb7, 0xb8, 0xbb, 0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02}};  // EIP-4788
constexpr Address kHistory = {{0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5, 0x3a, 0x10, 0xcb,
                               0x7a, 0x02, 0x33, 0x5b, 0x17, 0x53, 0x20, 0x00, 0x29, 0x35}};  // EIP-2935
constexpr Address kWithdrawals = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e, 0xb5, 0x5e, 0x80,
                                   0xd1, 0x9a, 0xd8, 0x35, 0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}};  // EIP-7002
constexpr Address kConsolidations = {{0x00, 0x00, 0xbb, 0xdd, 0xc7, 0xce, 0x48, 0x86, 0x42, 0xfb,
                                      0x57, 0x9f, 0x8b, 0x00, 0xf3, 0xa5, 0x90, 0x00, 0x72, 0x51}};  // EIP-7251

constexpr std::uint64_t kGwei = 1'000'000'000;

}  // namespace

std::vector<std::pair<std::string, Address>> system_contracts(const Rules& rules, const Address& deposit_contract) {
  std::vector<std::pair<std::string, Address>> out;
  if (rules.since(Revision::kCancun)) out.emplace_back("BEACON_ROOTS_ADDRESS", kBeaconRoots);
  if (!rules.since(Revision::kPrague)) return out;
  out.emplace_back("CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", kConsolidations);
  out.emplace_back("DEPOSIT_CONTRACT_ADDRESS", deposit_contract);
  out.emplace_back("HISTORY_STORAGE_ADDRESS", kHistory);
  out.emplace_back("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", kWithdrawals);
  return out;
}

BlockContext make_context(const Header& header, const Rules& rules, std::uint64_t chain_id, const BlockHashes* hashes) {
  BlockContext out;
  out.revision = rules.revision;
  out.number = header.number;
  out.timestamp = header.timestamp;
  out.randao = header.prev_randao;
  out.beneficiary = header.beneficiary;
  out.chain_id = chain_id;
  out.gas_limit = header.gas_limit;
  out.base_fee = header.base_fee;
  out.difficulty = header.difficulty;
  out.blob_base_fee = rules.since(Revision::kCancun) ? blob_base_fee(header.excess_blob_gas, rules.blobs) : uint256();
  out.max_blobs = rules.blobs.max;
  out.hashes = hashes;
  return out;
}

std::optional<uint256> block_reward(Revision revision) {
  const uint256 ether(1'000'000'000'000'000'000);
  if (revision >= Revision::kParis) return std::nullopt;
  if (revision >= Revision::kConstantinople) return ether * uint256(2);  // EIP-1234
  if (revision >= Revision::kByzantium) return ether * uint256(3);       // EIP-649
  return ether * uint256(5);
}

BlockExecution::BlockExecution(const StateView& base, const state::NodeSource& nodes, const Hash32& parent_root,
                               const BlockContext& context, const Rules& rules, const Options& options)
    : base_(base),
      nodes_(nodes),
      parent_root_(parent_root),
      context_(context),
      rules_(rules),
      tolerant_(options.tolerate_missing_contracts),
      journal_(base),
      machine_(journal_, context_, {.programs = options.programs, .tracer = options.tracer}) {}

void BlockExecution::begin(const std::optional<Hash32>& beacon_root, const std::optional<Hash32>& parent_hash) {
  if (rules_.since(Revision::kCancun) && beacon_root) (void)evm::system_call(machine_, kBeaconRoots, *beacon_root);
  if (rules_.since(Revision::kPrague) && parent_hash) (void)evm::system_call(machine_, kHistory, *parent_hash);
}

Result<Receipt> BlockExecution::apply(const SenderTransaction& item) {
  const std::uint64_t blobs = blob_gas(item.tx);
  const std::uint64_t most = kGasPerBlob * rules_.blobs.max;
  if (blobs > 0 && rules_.since(Revision::kCancun) && blobs > most - blob_gas_used_) {
    return fail(ErrorCode::kInvalid, fmt::format("blob gas limit reached: {} used of {}, the transaction needs {}",
                                                 blob_gas_used_, most, blobs));
  }
  auto outcome =
      evm::transact(machine_, item, {.burn_base_fee = true, .gas_available = context_.gas_limit - gas_used_});
  TRY(check_storage());
  if (!outcome) return fail(std::move(outcome).error());
  blob_gas_used_ += blobs;
  Receipt receipt = evm::make_receipt(item.tx, *outcome, context_.base_fee, gas_used_);
  gas_used_ = receipt.cumulative_gas;
  if (!rules_.since(Revision::kByzantium)) {  // EIP-658 came with it
    TRY_ASSIGN(const state::StateDiff now, diff());
    receipt.state_root = now.root;
  }
  return receipt;
}

void BlockExecution::pay(const Payments& payments) {
  // A reward of zero is paid, too: before EIP-161 that brings an account into being.
  if (payments.reward) {
    const uint256& reward = *payments.reward;
    uint256 own = reward;
    for (const auto& ommer : payments.ommers) {
      journal_.add_balance(ommer.beneficiary,
                           reward * uint256(8 - std::min<std::uint64_t>(ommer.distance, 8)) / uint256(8));
      own += reward / uint256(32);
    }
    journal_.add_balance(context_.beneficiary, own);
  }
  for (const Withdrawal& withdrawal : payments.withdrawals)
    journal_.add_balance(withdrawal.address, uint256(withdrawal.amount_gwei) * uint256(kGwei));
  journal_.end_transaction(rules_.since(Revision::kSpuriousDragon));
}

Result<Bytes> BlockExecution::request_call(const Address& to, std::uint8_t type, const char* name) {
  const bool missing = !has_code(journal_.account(to));
  if (missing && tolerant_) return Bytes{type};
  if (missing) return fail(ErrorCode::kInvalid, fmt::format("the {} contract is missing at {}", name, to_hex0x(to)));
  const evm::Outcome outcome = evm::system_call(machine_, to, {});
  if (outcome.status != evm::Status::kSuccess)
    return fail(ErrorCode::kInvalid, fmt::format("the {} contract failed: {}", name, evm::to_string(outcome.status)));
  Bytes out{type};
  append(out, outcome.output);
  return out;
}

Result<std::vector<Bytes>> BlockExecution::finish(const Payments& payments, const Address& deposit_contract,
                                                  const std::vector<Receipt>& receipts) {
  journal_.begin_transaction();
  pay(payments);
  std::vector<Bytes> out;
  if (rules_.since(Revision::kPrague)) {
    Bytes deposits{kDepositRequest};
    TRY_ASSIGN(const Bytes logged, deposits_of(receipts, deposit_contract));
    append(deposits, logged);
    TRY_ASSIGN(Bytes withdrawals, request_call(kWithdrawals, kWithdrawalRequest, "withdrawal request"));
    TRY_ASSIGN(Bytes consolidations, request_call(kConsolidations, kConsolidationRequest, "consolidation request"));
    for (Bytes* request : {&deposits, &withdrawals, &consolidations})
      if (request->size() > 1) out.push_back(std::move(*request));
  }
  TRY(check_storage());
  return out;
}

Result<state::StateDiff> BlockExecution::diff() const {
  auto out = state::make_diff(journal_, nodes_, parent_root_);
  TRY(check_storage());
  return out;
}

Result<> BlockExecution::check_storage() const {
  if (const auto& error = base_.error()) return fail(*error);
  return {};
}

}  // namespace bonus::chain::eth
