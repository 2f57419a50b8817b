// Comparing interpreters.
#include "bonus/chain/vectors/differential.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/vectors/state_run.hpp"

namespace bonus::chain::vectors {
namespace {

namespace json = boost::json;

enum class Kind : std::uint8_t { kDone, kReverted, kFailed, kRefused };
Kind kind_of(evm::Status status) {
  if (status == evm::Status::kSuccess) return Kind::kDone;
  if (status == evm::Status::kRevert) return Kind::kReverted;
  return evm::is_refused(status) ? Kind::kRefused : Kind::kFailed;
}

json::object account_json(const PlainAccount& account) {
  json::object storage;
  for (const auto& [slot, value] : account.storage) storage[slot.to_quantity()] = value.to_quantity();
  return {{"nonce", fmt::format("{:#x}", account.nonce)},
          {"balance", account.balance.to_quantity()},
          {"code", to_hex0x(account.code)},
          {"storage", storage}};
}

/// What a client without state roots is asked about: also slots and accounts that are gone.
json::object outcome_json(const Scenario& scenario, const ScenarioRun& run) {
  json::object accounts;
  for (const auto& [address, before] : scenario.pre) accounts[to_hex0x(address)] = account_json({});
  for (const auto& [address, after] : run.after) accounts[to_hex0x(address)] = account_json(after);
  for (const auto& [address, before] : scenario.pre)
    for (const auto& [slot, value] : before.storage)
      accounts[to_hex0x(address)].as_object()["storage"].as_object().insert(
          json::object::value_type(slot.to_quantity(), "0x0"));
  json::array logs;
  for (const Log& log : run.logs) {
    json::array topics;
    for (const Hash32& topic : log.topics) topics.emplace_back(to_hex0x(topic));
    logs.push_back(json::object{{"address", to_hex0x(log.address)}, {"topics", topics}, {"data", to_hex0x(log.data)}});
  }
  return {{"refusal", run.refusal},
          {"success", run.status == evm::Status::kSuccess},
          {"gasUsed", run.gas_used},
          {"logs", logs},
          {"accounts", accounts}};
}

json::array access_list_json(const std::vector<Transaction::AccessEntry>& list) {
  json::array out;
  for (const auto& entry : list) {
    json::array keys;
    for (const Hash32& key : entry.keys) keys.emplace_back(to_hex0x(key));
    out.push_back(json::object{{"address", to_hex0x(entry.address)}, {"storageKeys", keys}});
  }
  return out;
}

}  // namespace

ScenarioRun run_scenario(const Scenario& scenario, const evm::MachineOptions& options) {
  ScenarioRun out;
  const MemoryState state(scenario.pre);
  const TestHashes hashes(scenario.environment);
  const BlockContext block =
      block_context(scenario.environment, {scenario.revision, blob_schedule(scenario.revision)}, 1, hashes);
  state::Journal journal(state);
  evm::Machine machine(journal, block, options);
  auto outcome =
      evm::transact(machine, scenario.transaction, {.burn_base_fee = true, .gas_available = block.gas_limit});
  if (outcome) {
    out.status = outcome->status;
    out.gas_used = outcome->gas_used;
    out.output = std::move(outcome->output);
    out.logs = std::move(outcome->logs);
  } else {
    out.refusal = outcome.error().message;
  }
  out.logs_hash = hash_of(out.logs);
  touch_coinbase(journal, block);
  const auto root = state.root_after(journal);
  out.after = accounts_after(scenario.pre, journal);
  if (root) {
    out.state_root = *root;
  } else {
    out.refusal += " no state root: " + root.error().message;
  }
  return out;
}

std::string differences(const ScenarioRun& a, const ScenarioRun& b) {
  std::string out;
  if (a.refusal != b.refusal) out += fmt::format("refused: \"{}\", \"{}\"\n", a.refusal, b.refusal);
  if (kind_of(a.status) != kind_of(b.status))
    out += fmt::format("status: \"{}\", \"{}\"\n", to_string(a.status), to_string(b.status));
  if (a.gas_used != b.gas_used) out += fmt::format("gas: {}, {}\n", a.gas_used, b.gas_used);
  if (a.output != b.output) out += fmt::format("output: {}, {}\n", to_hex0x(a.output), to_hex0x(b.output));
  if (a.logs_hash != b.logs_hash) out += "the logs differ\n";
  if (a.state_root != b.state_root)
    out += "the state roots differ (have: the first, expected: the second)\n" + describe_difference(a.after, b.after);
  return out;
}

std::string compare_interpreters(const Scenario& scenario) {
  const ScenarioRun fast = run_scenario(scenario, {});
  const ScenarioRun slow = run_scenario(scenario, {.reference = true});
  std::string out = differences(fast, slow);
  // The incremental trie against one built from nothing.
  if (slow.state_root != MemoryState(slow.after).root()) out += "the root is not that of the accounts\n";
  if (!out.empty()) out += to_state_test(scenario, slow, "difference") + "\n";
  return out;
}

std::string to_state_test(const Scenario& scenario, const ScenarioRun& run, std::string_view name) {
  const Environment& env = scenario.environment;
  const Transaction& tx = scenario.transaction.tx;
  json::object pre;
  for (const auto& [address, account] : scenario.pre) pre[to_hex0x(address)] = account_json(account);
  const json::object environment{{"currentCoinbase", to_hex0x(env.coinbase)},
                                 {"currentNumber", fmt::format("{:#x}", env.number)},
                                 {"currentTimestamp", fmt::format("{:#x}", env.timestamp)},
                                 {"currentGasLimit", fmt::format("{:#x}", env.gas_limit)},
                                 {"currentDifficulty", env.difficulty.to_quantity()},
                                 {"currentBaseFee", env.base_fee.to_quantity()},
                                 {"currentRandom", to_hex0x(env.randao)},
                                 {"currentExcessBlobGas", fmt::format("{:#x}", env.excess_blob_gas)}};
  json::object transaction{
      {"nonce", fmt::format("{:#x}", tx.nonce)},        {"gasLimit", json::array{fmt::format("{:#x}", tx.gas_limit)}},
      {"to", tx.to ? to_hex0x(*tx.to) : std::string()}, {"value", json::array{tx.value.to_quantity()}},
      {"data", json::array{to_hex0x(tx.data)}},         {"sender", to_hex0x(scenario.transaction.sender)},
      {"secretKey", to_hex0x(uint256(1).to_be())}};
  if (tx.type == 2) {
    transaction["maxFeePerGas"] = tx.max_fee.to_quantity();
    transaction["maxPriorityFeePerGas"] = tx.max_priority_fee.to_quantity();
  } else {
    transaction["gasPrice"] = tx.max_fee.to_quantity();
  }
  if (tx.type != 0) {
    // Not in braces: an array of one array would be that array.
    json::array lists;
    lists.push_back(access_list_json(tx.access_list));
    transaction["accessLists"] = std::move(lists);
  }
  json::object post{{"hash", to_hex0x(run.state_root)},
                    {"logs", to_hex0x(run.logs_hash)},
                    {"indexes", json::object{{"data", 0}, {"gas", 0}, {"value", 0}}}};
  post["outcome"] = outcome_json(scenario, run);
  if (!run.refusal.empty()) post["expectException"] = run.refusal;
  const json::object test{{"env", environment},
                          {"pre", pre},
                          {"transaction", transaction},
                          {"post", json::object{{to_string(scenario.revision), json::array{post}}}}};
  return json::serialize(json::object{{name, test}});
}

}  // namespace bonus::chain::vectors
