// Simulated blocks: one journal for all of them, a machine for each.
#include "bonus/chain/rpc/simulate.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/evm/native_host.hpp"
#include "bonus/chain/rpc/vm_error.hpp"
#include "bonus/chain/state/trie.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

constexpr std::uint64_t kMaxBlocks = 256;  // As geth.
constexpr std::uint64_t kEthereumSlot = 12;
constexpr std::uint64_t kWeiPerGwei = 1'000'000'000;

constexpr Address address_of(std::array<std::uint8_t, 20> bytes) { return {bytes}; }
constexpr Address kBeaconRoots = address_of({0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80, 0x7e, 0xf1, 0x31,
                                             0x9f, 0xb7, 0xb8, 0xbb, 0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02});  // EIP-4788
constexpr Address kHistory = address_of({0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5, 0x3a, 0x10, 0xcb,
                                         0x7a, 0x02, 0x33, 0x5b, 0x17, 0x53, 0x20, 0x00, 0x29, 0x35});  // EIP-2935
constexpr Address kWithdrawals = address_of({0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e, 0xb5, 0x5e, 0x80,
                                             0xd1, 0x9a, 0xd8, 0x35, 0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02});  // EIP-7002
constexpr Address kConsolidations = address_of({0x00, 0x00, 0xbb, 0xdd, 0xc7, 0xce, 0x48, 0x86, 0x42, 0xfb, 0x57,
                                                0x9f, 0x8b, 0x00, 0xf3, 0xa5, 0x90, 0x00, 0x72, 0x51});  // EIP-7251

/// Hashes of simulated blocks above the base, of the chain's up to it.
class SimulatedHashes final : public BlockHashes {
 public:
  SimulatedHashes(const BlockHashes* chain, std::uint64_t base, const Hash32& base_hash)
      : chain_(chain), base_(base), hashes_{base_hash} {}
  void add(const Hash32& hash) { hashes_.push_back(hash); }
  [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override {
    if (number < base_) return chain_ != nullptr ? chain_->block_hash(number) : Hash32();
    return number - base_ < hashes_.size() ? hashes_[number - base_] : Hash32();
  }

 private:
  const BlockHashes* chain_;
  const std::uint64_t base_;
  std::vector<Hash32> hashes_;  ///< From the base on.
};

/// Logs of a transaction with transfers of the native coin shown as if it were an ERC-20 at 0xee...ee.
class TransferTracer final : public evm::Tracer {
 public:
  void on_enter(const evm::Message& message, std::uint8_t /*op*/) override {
    marks_.push_back(logs_.size());
    if (message.kind == evm::CallKind::kDelegateCall || message.value.is_zero()) return;
    static const Hash32 kTransfer = abi::event_topic("Transfer(address,address,uint256)");
    Log log;
    log.address.bytes.fill(0xee);
    log.topics = {kTransfer, padded(message.sender), padded(message.recipient)};
    const Hash32 amount = message.value.to_be();
    log.data.assign(amount.bytes.begin(), amount.bytes.end());
    logs_.push_back(std::move(log));
  }
  void on_exit(const evm::Message& /*message*/, const evm::Outcome& outcome) override {
    if (marks_.empty()) return;
    if (outcome.status != evm::Status::kSuccess) logs_.resize(marks_.back());
    marks_.pop_back();
  }
  void on_log(const Log& log) override { logs_.push_back(log); }
  [[nodiscard]] std::vector<Log> take() { return std::exchange(logs_, {}); }

 private:
  static Hash32 padded(const Address& address) {
    Hash32 out;
    std::ranges::copy(address.bytes, out.bytes.begin() + 12);
    return out;
  }
  std::vector<Log> logs_;
  std::vector<std::size_t> marks_;  ///< Number of logs where each open frame began.
};

/// The code that execution-apis gives an error that makes a transaction invalid.
int code_of(std::string_view message) {
  constexpr std::array<std::pair<std::string_view, int>, 8> kCodes{{
      {"nonce too low", kNonceTooLow},
      {"nonce too high", kNonceTooHigh},
      {"max fee per gas less than block base fee", kFeeTooLow},
      {"intrinsic gas too low", kIntrinsicGas},
      {"insufficient funds", kInsufficientFunds},
      {"max initcode size exceeded", kInitCodeSize},
      {"max priority fee per gas higher", kInvalidParams},
      {"gas limit reached", kBlockGasLimit},
  }};
  for (const auto& [begin, code] : kCodes)
    if (message.starts_with(begin)) return code;
  return kInternalError;
}

Hash32 requests_hash(const std::vector<Bytes>& requests) {
  Bytes digests;
  for (const Bytes& request : requests) append(digests, crypto::sha256(request));
  return crypto::sha256(digests);
}

class Simulation {
 public:
  Simulation(const Context& context, const StoredBlock& base, const StateView& state, const SimulateRequest& request)
      : context_(context),
        base_(base),
        state_(state),
        request_(request),
        journal_(state),
        parent_(base.block.header),
        parent_hash_(base.hash),
        budget_(context.options.max_call_gas) {}

  Reply<std::vector<SimulatedBlock>> run(const std::vector<BlockRequest>& blocks) {
    const auto chain = context_.ledger.context(base_.block.header.number);
    if (!chain) return failure(chain.error());
    SimulatedHashes hashes(chain->hashes, base_.block.header.number, base_.hash);
    std::vector<SimulatedBlock> out;
    std::size_t bytes = 0;
    for (const BlockRequest& block : blocks) {
      TRY(context_.in_time());
      TRY_ASSIGN(auto done, run_block(block, hashes));
      bytes += done.stored.size_bytes;
      for (const SimulatedCall& call : done.calls) {
        bytes += call.outcome.output.size();
        for (const Log& log : call.logs) bytes += log.data.size() + 200;
      }
      if (bytes > context_.options.max_response_bytes) return failure(kResponseTooLarge, "response too large");
      hashes.add(done.stored.hash);
      parent_ = done.stored.block.header;
      parent_hash_ = done.stored.hash;
      out.push_back(std::move(done));
    }
    return out;
  }

 private:
  [[nodiscard]] Header header_of(const BlockOverrides& wanted) const {
    Header out;
    out.parent_hash = parent_hash_;
    out.ommers_hash = base_.block.header.ommers_hash;
    out.beneficiary = wanted.fee_recipient.value_or(parent_.beneficiary);
    out.number = wanted.number->low64();
    out.timestamp = *wanted.time;
    out.gas_limit = wanted.gas_limit.value_or(parent_.gas_limit);
    out.prev_randao = wanted.prev_randao.value_or(Hash32());
    out.parent_beacon_root = wanted.beacon_root.value_or(Hash32());
    return out;
  }

  Reply<SimulatedBlock> run_block(const BlockRequest& wanted, const SimulatedHashes& hashes) {
    SimulatedBlock out;
    Block& block = out.stored.block;
    Header& header = block.header;
    header = header_of(wanted.header);
    auto made = context_.ledger.simulated_context(parent_, header);
    if (!made) return failure(made.error());
    BlockContext here = *made;
    here.hashes = &hashes;
    // Without validation a call without a price would be below any base fee.
    if (wanted.header.base_fee)
      header.base_fee = *wanted.header.base_fee;
    else if (!request_.validation)
      header.base_fee = {};
    here.base_fee = header.base_fee;
    if (wanted.header.difficulty && here.revision < Revision::kParis)
      header.difficulty = here.difficulty = *wanted.header.difficulty;
    if (wanted.header.blob_base_fee) here.blob_base_fee = *wanted.header.blob_base_fee;

    evm::MovedPrecompiles moved;
    if (const auto done = move_precompiles(wanted.state, here.revision, moved); !done)
      return failure(kServerError, done.error().message);
    apply_overrides(wanted.state, journal_);

    const bool ethereum = here.genesis == nullptr;
    TransferTracer transfers;
    evm::MachineOptions options;
    options.natives = context_.ledger.natives();
    options.programs = context_.programs;
    if (!moved.empty()) options.moved = &moved;
    if (ethereum) begin_block(here, options, header);
    if (request_.trace_transfers) options.tracer = &transfers;

    std::vector<Receipt> receipts;
    for (const CallArguments& call : wanted.calls) {
      TRY(context_.in_time());
      TRY_ASSIGN(auto done, run_call(call, here, options, header, block, receipts));
      if (request_.trace_transfers) {
        done.logs = transfers.take();
      } else if (done.outcome.status == evm::Status::kSuccess) {
        done.logs = receipts.back().logs;
      }
      out.calls.push_back(std::move(done));
    }
    options.tracer = nullptr;
    if (ethereum)
      end_block(here, options, header);
    else
      end_native_block(here);
    TRY(seal(wanted.header, here, receipts, out));
    return out;
  }

  void begin_block(const BlockContext& here, const evm::MachineOptions& options, const Header& header) {
    evm::Machine machine(journal_, here, options);
    if (here.revision >= Revision::kPrague) (void)evm::system_call(machine, kHistory, header.parent_hash);
    if (here.revision >= Revision::kCancun) (void)evm::system_call(machine, kBeaconRoots, header.parent_beacon_root);
  }
  void end_block(const BlockContext& here, const evm::MachineOptions& options, Header& header) {
    if (here.revision < Revision::kPrague) return;
    evm::Machine machine(journal_, here, options);
    std::vector<Bytes> requests;
    for (const auto& [type, contract] : {std::pair<std::uint8_t, Address>{1, kWithdrawals}, {2, kConsolidations}}) {
      const auto reply = evm::system_call(machine, contract, {});
      if (reply.status != evm::Status::kSuccess || reply.output.empty()) continue;
      Bytes request{type};
      append(request, reply.output);
      requests.push_back(std::move(request));
    }
    header.requests_hash = requests_hash(requests);
  }
  /// What system contracts do after the last transaction.
  void end_native_block(const BlockContext& here) {
    const ContractRegistry* natives = context_.ledger.natives();
    if (natives == nullptr) return;
    evm::NativeHost host(journal_, here, std::nullopt);
    for (const NativeContract* contract : natives->in_order()) contract->end_block(host);
    (void)journal_.take_logs();
    journal_.end_transaction(true);
  }

  /// The nonce and price rules that validation adds to those of every call.
  [[nodiscard]] Result<> check(const CallArguments& call, std::uint64_t nonce, const BlockContext& here) const {
    TRY(check_shape(call, here.revision));
    if (!request_.validation) return {};
    const std::uint64_t known = journal_.account(call.from).nonce;
    const auto shown = [&] { return fmt::format("address {}, tx: {} state: {}", to_hex0x(call.from), nonce, known); };
    if (nonce < known) return fail(ErrorCode::kInvalid, "nonce too low: " + shown());
    if (nonce > known) return fail(ErrorCode::kInvalid, "nonce too high: " + shown());
    if (nonce == UINT64_MAX)
      return fail(ErrorCode::kInvalid,
                  fmt::format("nonce has max value: address {}, nonce: {}", to_hex0x(call.from), nonce));
    if (here.revision >= Revision::kLondon && call.fee_cap() < here.base_fee) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("max fee per gas less than block base fee: address {}, maxFeePerGas: {}, baseFee: {}",
                              to_hex0x(call.from), call.fee_cap().to_decimal(), here.base_fee.to_decimal()));
    }
    return {};
  }

  Reply<SimulatedCall> run_call(const CallArguments& call, const BlockContext& here, const evm::MachineOptions& options,
                                Header& header, Block& block, std::vector<Receipt>& receipts) {
    const std::uint64_t nonce = call.nonce.value_or(journal_.account(call.from).nonce);
    const std::uint64_t remaining = here.gas_limit - std::min(here.gas_limit, header.gas_used);
    const std::uint64_t wanted = call.gas.value_or(remaining);
    if (wanted > remaining) {
      return failure(kBlockGasLimit,
                     fmt::format("block gas limit reached: remaining: {}, required: {}", remaining, wanted));
    }
    const std::uint64_t gas = std::min(wanted, budget_);
    SenderTransaction item = to_transaction(call, gas, nonce, here.chain_id);
    item.hash = crypto::keccak256(item.tx.encode());
    const auto invalid = [&](const Error& error) {
      return failure(code_of(error.message), fmt::format("err: {} (supplied gas {})", error.message, gas));
    };
    if (const auto checked = check(call, nonce, here); !checked) return invalid(checked.error());
    // A call without a price sees a base fee of zero, unless the rules are to hold.
    const BlockContext seen = request_.validation ? here : priced(here, call);
    evm::Machine machine(journal_, seen, options);
    evm::TransitionOptions how;
    how.simulate = true;
    how.burn_base_fee = context_.ledger.burns_base_fee();
    auto outcome = evm::transact(machine, item, how);
    if (!outcome) return invalid(outcome.error());
    if (const auto& error = state_.error()) return failure(*error);

    budget_ -= std::min(budget_, outcome->gas_used);
    header.gas_used += outcome->gas_used;
    header.blob_gas_used += blob_gas(item.tx);
    Receipt receipt;
    receipt.type = item.tx.type;
    receipt.success = outcome->status == evm::Status::kSuccess;
    receipt.cumulative_gas = header.gas_used;
    receipt.gas_used = outcome->gas_used;
    receipt.logs = std::move(outcome->logs);
    receipts.push_back(std::move(receipt));
    // Shared: blocks hold their transactions so.
    block.transactions.push_back(std::make_shared<const SenderTransaction>(std::move(item)));
    SimulatedCall out;
    if (outcome->status != evm::Status::kSuccess && outcome->status != evm::Status::kRevert)
      out.error = vm_error(outcome->status);
    out.outcome = *std::move(outcome);
    return out;
  }

  Reply<std::monostate> seal(const BlockOverrides& wanted, const BlockContext& here,
                             const std::vector<Receipt>& receipts, SimulatedBlock& out) {
    Block& block = out.stored.block;
    Header& header = block.header;
    if (header.has(HeaderForm::kShanghai) && here.genesis == nullptr) {
      block.withdrawals = wanted.withdrawals.value_or(std::vector<Withdrawal>());
      journal_.begin_transaction();
      std::vector<Bytes> encoded;
      for (const Withdrawal& item : block.withdrawals) {
        encoded.push_back(encode_withdrawal(item));
        journal_.add_balance(item.address, uint256(item.amount_gwei) * uint256(kWeiPerGwei));
      }
      journal_.end_transaction(true);
      header.withdrawals_root = state::ordered_root(encoded);
    }
    std::vector<Bytes> encoded;
    for (const TransactionPtr& item : block.transactions) encoded.push_back(item->tx.encode());
    header.transactions_root = state::ordered_root(encoded);
    encoded.clear();
    for (const Receipt& receipt : receipts) {
      encoded.push_back(receipt.encode());
      const Bloom bloom = receipt.bloom();
      for (std::size_t i = 0; i < Bloom::kSize; ++i) header.logs_bloom.bytes[i] |= bloom.bytes[i];
    }
    header.receipts_root = state::ordered_root(encoded);
    const auto root = context_.ledger.root_with(base_.block.header.number, journal_);
    if (!root) return failure(root.error());
    header.state_root = *root;
    out.stored.hash = header.hash();
    out.stored.size_bytes = here.genesis == nullptr ? encode_ethereum_block(block).size() : block.encode().size();
    return std::monostate();
  }

  const Context& context_;
  const StoredBlock& base_;
  const StateView& state_;
  const SimulateRequest& request_;
  state::Journal journal_;
  Header parent_;
  Hash32 parent_hash_;
  std::uint64_t budget_;  ///< Gas for all calls together.
};

/// Every block with its number and time, gaps filled.
Reply<std::vector<BlockRequest>> complete_chain(std::vector<BlockRequest> blocks, const Header& base,
                                                std::uint64_t step) {
  std::vector<BlockRequest> out;
  std::uint64_t number = base.number;
  UnixSeconds time = base.timestamp;
  for (BlockRequest& block : blocks) {
    const std::uint64_t wanted = block.header.number ? block.header.number->low64() : number + 1;
    if (wanted <= number)
      return failure(kBlockNumber, fmt::format("block numbers must be in order: {} <= {}", wanted, number));
    if (wanted - base.number > kMaxBlocks) return failure(kTooManyBlocks, "too many blocks");
    while (++number < wanted) {
      time += step;
      BlockRequest& empty = out.emplace_back();
      empty.header.number = uint256(number);
      empty.header.time = time;
    }
    block.header.number = uint256(wanted);
    if (!block.header.time) {
      block.header.time = time + step;
    } else if (*block.header.time <= time) {
      return failure(kBlockTime, fmt::format("block timestamps must be in order: {} <= {}", *block.header.time, time));
    }
    time = *block.header.time;
    out.push_back(std::move(block));
  }
  return out;
}

}  // namespace

Reply<std::vector<SimulatedBlock>> simulate(const Context& context, const StoredBlock& base, const StateView& state,
                                            SimulateRequest request) {
  const auto rules = context.ledger.context(base.block.header.number);
  if (!rules) return failure(rules.error());
  const std::uint64_t step = rules->genesis == nullptr ? kEthereumSlot : 1;
  TRY_ASSIGN(const auto blocks, complete_chain(std::move(request.blocks), base.block.header, step));
  request.blocks.clear();
  return Simulation(context, base, state, request).run(blocks);
}

}  // namespace bonus::chain::rpc
