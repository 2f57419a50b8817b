// Running state tests.
#include "bonus/chain/vectors/state_run.hpp"

#include <fmt/format.h>

#include <array>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::vectors {
namespace {

struct Cause {
  std::string_view exception, text;
};
constexpr std::array kCauses{
    Cause{"GASLIMIT_PRICE_PRODUCT_OVERFLOW", "gas limit times fee"},
    Cause{"GAS_ALLOWANCE_EXCEEDED", "gas limit reached"},
    Cause{"GAS_LIMIT_EXCEEDS_MAXIMUM", "transaction gas limit too high"},
    Cause{"INITCODE_SIZE_EXCEEDED", "max initcode size exceeded"},
    Cause{"INSUFFICIENT_ACCOUNT_FUNDS", "insufficient funds"},
    Cause{"INSUFFICIENT_MAX_FEE_PER_BLOB_GAS", "max fee per blob gas less than"},
    Cause{"INSUFFICIENT_MAX_FEE_PER_GAS", "max fee per gas less than"},
    Cause{"INTRINSIC_GAS_TOO_LOW", "intrinsic gas too low"},
    Cause{"INTRINSIC_GAS_BELOW_FLOOR_GAS_COST", "floor data gas"},
    Cause{"NONCE_IS_MAX", "nonce has max value"},
    Cause{"NONCE_MISMATCH_TOO_HIGH", "nonce too high"},
    Cause{"NONCE_MISMATCH_TOO_LOW", "nonce too low"},
    Cause{"PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS", "max priority fee per gas higher"},
    Cause{"RLP_INVALID_VALUE", "value: "},
    Cause{"SENDER_NOT_EOA", "sender not an eoa"},
    Cause{"TYPE_1_TX_PRE_FORK", "transaction type not supported"},
    Cause{"TYPE_2_TX_PRE_FORK", "transaction type not supported"},
    Cause{"TYPE_3_TX_BLOB_COUNT_EXCEEDED", "too many blobs"},
    Cause{"TYPE_3_TX_CONTRACT_CREATION", "blob transaction of type create"},
    Cause{"TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH", "invalid hash version"},
    Cause{"TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED", "too many blobs"},
    Cause{"TYPE_3_TX_PRE_FORK", "transaction type not supported"},
    Cause{"TYPE_3_TX_ZERO_BLOBS", "missing blob hashes"},
    Cause{"TYPE_4_EMPTY_AUTHORIZATION_LIST", "empty auth list"},
    Cause{"TYPE_4_TX_CONTRACT_CREATION", "cannot be used to create contract"},
    Cause{"TYPE_4_TX_PRE_FORK", "transaction type not supported"},
};

/// The block's bound, which the fork of the test may set.
Result<> check_block_bounds(const Transaction& tx, const Fork& fork) {
  if (tx.type == 3 && fork.revision >= Revision::kCancun && tx.blob_hashes.size() > fork.blobs.max)
    return fail(ErrorCode::kInvalid, fmt::format("blob transaction has too many blobs: have {}, block takes {}",
                                                 tx.blob_hashes.size(), fork.blobs.max));
  return {};
}

Result<evm::TransactionOutcome> transact(evm::Machine& machine, const StateCase& item, const Fork& fork) {
  if (!item.transaction) return std::unexpected(item.transaction.error());
  TRY(check_block_bounds(item.transaction->tx, fork));
  return evm::transact(machine, *item.transaction, {.burn_base_fee = true, .gas_available = machine.block().gas_limit});
}

std::string trouble_of(const StateRun& run, const StateTest& test, const StateCase& item, const state::Journal& journal,
                       bool check_reason) {
  if (run.valid() && !item.exception.empty()) return "the transaction is valid, expected " + item.exception;
  if (!run.valid() && item.exception.empty()) return "the transaction is refused: " + run.refusal;
  if (check_reason && !run.valid() && !explains(run.refusal, item.exception))
    return fmt::format("the transaction is refused for \"{}\", expected {}", run.refusal, item.exception);
  std::string out;
  if (run.logs_hash != item.logs_hash)
    out = fmt::format("logs hash {}, expected {}", to_hex0x(run.logs_hash), to_hex0x(item.logs_hash));
  if (run.state_root != item.state_root) {
    if (!out.empty()) out += "; ";
    out += fmt::format("state root {}, expected {} (status \"{}\", gas used {})", to_hex0x(run.state_root),
                       to_hex0x(item.state_root), to_string(run.status), run.gas_used);
    if (item.state) out += "\n" + describe_difference(accounts_after(test.pre, journal), *item.state);
  }
  return out;
}

}  // namespace

bool explains(std::string_view refusal, std::string_view exception) {
  bool known = true;
  while (!exception.empty()) {
    const auto end = std::min(exception.find('|'), exception.size());
    std::string_view name = exception.substr(0, end);
    exception.remove_prefix(std::min(end + 1, exception.size()));
    if (const auto dot = name.rfind('.'); dot != std::string_view::npos) name.remove_prefix(dot + 1);
    const auto* cause = std::ranges::find(kCauses, name, &Cause::exception);
    if (cause == kCauses.end()) {
      known = false;
    } else if (refusal.find(cause->text) != std::string_view::npos) {
      return true;
    }
  }
  return !known;
}

void touch_coinbase(state::Journal& journal, const BlockContext& block) {
  journal.begin_transaction();
  journal.touch(block.beneficiary);
  journal.end_transaction(block.revision >= Revision::kSpuriousDragon);
}

Hash32 hash_of(const std::vector<Log>& logs) {
  rlp::Encoder e;
  e.begin_list();
  for (const Log& log : logs) {
    e.begin_list().bytes(log.address).begin_list();
    for (const Hash32& topic : log.topics) e.bytes(topic);
    e.end_list().bytes(log.data).end_list();
  }
  e.end_list();
  return crypto::keccak256(e.take());
}

StateRun run_case(const StateTest& test, const StateCase& item, const RunOptions& options) {
  StateRun run;
  auto fork = fork_of(item.fork);
  if (!fork) {
    run.skipped = true;
    return run;
  }
  if (item.blobs) fork->blobs = *item.blobs;
  const TestHashes hashes(test.environment);
  const BlockContext block = block_context(test.environment, *fork, test.chain_id, hashes);
  state::Journal journal(*test.state);
  evm::Machine machine(journal, block,
                       {.programs = options.programs, .tracer = options.tracer, .reference = options.reference});

  auto outcome = transact(machine, item, *fork);
  if (outcome) {
    run.status = outcome->status;
    run.gas_used = outcome->gas_used;
    run.output = std::move(outcome->output);
    run.logs_hash = hash_of(outcome->logs);
  } else {
    run.refusal = outcome.error().message;
    run.logs_hash = hash_of({});
  }
  touch_coinbase(journal, block);

  const auto root = test.state->root_after(journal);
  if (!root) {
    run.trouble = "no state root: " + root.error().message;
    return run;
  }
  run.state_root = *root;
  run.trouble = trouble_of(run, test, item, journal, options.check_reason);
  return run;
}

}  // namespace bonus::chain::vectors
