// The environment of a transition and what follows from the parent's values in it.
#include <fmt/format.h>

#include "bonus/chain/eth/header_rules.hpp"
#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/transition_tool.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

std::unexpected<Error> lacks(const char* what) {
  return fail(ErrorCode::kUnsupported, fmt::format("env: {} is missing, which the fork needs", what));
}

Result<> read_ommers(const Fields& env, TransitionEnv& out) {
  const auto* value = env.find("ommers");
  if (value == nullptr) return {};
  TRY_ASSIGN(const auto* items, as_array(*value, "ommers"));
  for (const auto& item : *items) {
    TRY_ASSIGN(const auto* object, as_object(item, "ommer"));
    const Fields fields(*object);
    Payments::Ommer ommer;
    TRY(fields.read(ommer.distance, "delta"));
    TRY(fields.read(ommer.beneficiary, "address"));
    out.ommers.push_back(ommer);
  }
  return {};
}

Result<> read_payments(const Fields& env, TransitionEnv& out) {
  const auto* value = env.find("withdrawals");
  if (value == nullptr) {
    if (out.rules.since(Revision::kShanghai)) return lacks("withdrawals");
    return {};
  }
  TRY_ASSIGN(out.withdrawals, read_withdrawals(*value));
  return {};
}

Result<> read_block_hashes(const Fields& env, TransitionEnv& out) {
  const auto* value = env.find("blockHashes");
  if (value == nullptr) return {};
  TRY_ASSIGN(const auto* hashes, as_object(*value, "blockHashes"));
  for (const auto& [key, hash] : *hashes) {
    TRY_ASSIGN(const std::uint64_t number, to_number64(json::value(key)));
    TRY_ASSIGN(out.block_hashes[number], to_fixed<Hash32>(hash));
  }
  return {};
}

Result<> complete_base_fee(const Fields& env, const Header& parent, TransitionEnv& out) {
  TRY(env.read(out.base_fee, "currentBaseFee"));
  if (!out.rules.since(Revision::kLondon)) return {};
  if (out.base_fee) {
    out.header.base_fee = *out.base_fee;
    return {};
  }
  if (env.find("parentBaseFee") == nullptr || out.header.number == 0) return lacks("currentBaseFee");
  out.header.base_fee = next_base_fee(parent, out.rules);
  out.base_fee = out.header.base_fee;
  return {};
}

Result<> complete_difficulty(const Fields& env, const Header& parent, TransitionEnv& out) {
  if (out.rules.since(Revision::kParis)) {
    if (env.find("currentRandom") == nullptr) return lacks("currentRandom");
    uint256 difficulty;
    TRY(env.read(difficulty, "currentDifficulty"));
    if (!difficulty.is_zero())
      return fail(ErrorCode::kUnsupported, "env: currentDifficulty must be zero behind the merge");
    return {};
  }
  if (env.find("currentDifficulty") != nullptr) return env.read(out.header.difficulty, "currentDifficulty");
  if (env.find("parentDifficulty") == nullptr) return lacks("currentDifficulty, or parentDifficulty,");
  if (out.header.timestamp <= parent.timestamp)
    return fail(ErrorCode::kUnsupported, "env: currentTimestamp is not after parentTimestamp");
  out.header.difficulty = next_difficulty(parent, out.header.timestamp, out.rules);
  return {};
}

Result<> complete_blob_gas(const Fields& env, const Header& parent, TransitionEnv& out) {
  if (!out.rules.since(Revision::kCancun)) return {};
  if (env.find("currentExcessBlobGas") != nullptr) {
    out.has_blob_gas = true;
    TRY(env.read(out.header.excess_blob_gas, "currentExcessBlobGas"));
  } else if (env.find("parentExcessBlobGas") != nullptr && env.find("parentBlobGasUsed") != nullptr) {
    out.has_blob_gas = true;
    out.header.excess_blob_gas = next_excess_blob_gas(parent, out.rules);
  }
  TRY(env.read(out.beacon_root, "parentBeaconBlockRoot"));
  if (!out.beacon_root) return lacks("parentBeaconBlockRoot");
  return {};
}

Result<Header> read_parent(const Fields& env, const Header& header, const Rules& rules) {
  Header parent;
  parent.number = header.number == 0 ? 0 : header.number - 1;
  parent.form = rules.form;
  parent.ommers_hash = kEmptyOmmersHash;
  TRY(env.read(parent.difficulty, "parentDifficulty"));
  TRY(env.read(parent.timestamp, "parentTimestamp"));
  TRY(env.read(parent.base_fee, "parentBaseFee"));
  TRY(env.read(parent.gas_used, "parentGasUsed"));
  TRY(env.read(parent.gas_limit, "parentGasLimit"));
  TRY(env.read(parent.excess_blob_gas, "parentExcessBlobGas"));
  TRY(env.read(parent.blob_gas_used, "parentBlobGasUsed"));
  TRY(env.read(parent.ommers_hash, "parentUncleHash"));
  if (parent.ommers_hash.is_zero()) parent.ommers_hash = kEmptyOmmersHash;  // as geth reads it
  return parent;
}

}  // namespace

Result<TransitionEnv> read_transition_env(const json::value& value, const ChainConfig& config) {
  TRY_ASSIGN(const auto* object, as_object(value, "env"));
  const Fields env(*object);
  TransitionEnv out;
  Header& header = out.header;
  for (const auto* key : {"currentCoinbase", "currentGasLimit", "currentNumber", "currentTimestamp"})
    if (env.find(key) == nullptr) return fail(ErrorCode::kInvalid, fmt::format("env: {} is missing", key));
  TRY(env.read(header.beneficiary, "currentCoinbase"));
  TRY(env.read(header.gas_limit, "currentGasLimit"));
  TRY(env.read(header.number, "currentNumber"));
  TRY(env.read(header.timestamp, "currentTimestamp"));
  TRY(env.read(header.prev_randao, "currentRandom"));
  // Whether the merge has happened is the fork's to say, not a total difficulty's: there is no chain.
  uint256 difficulty;
  TRY(env.read(difficulty, "currentDifficulty"));
  out.rules = config.at(header.number, header.timestamp, config.terminal_total_difficulty && difficulty.is_zero());
  TRY_ASSIGN(const Header parent, read_parent(env, header, out.rules));
  TRY(complete_difficulty(env, parent, out));
  TRY(complete_base_fee(env, parent, out));
  TRY(complete_blob_gas(env, parent, out));
  TRY(read_ommers(env, out));
  TRY(read_payments(env, out));
  TRY(read_block_hashes(env, out));
  return out;
}

}  // namespace bonus::chain::eth
