// Blocks of tests.
#include "bonus/chain/vectors/environment.hpp"

#include "bonus/chain/vectors/json_input.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::vectors {
namespace {

constexpr std::uint64_t kDefaultBaseFee = 10;

// The schedules that mainnet's "blob parameter only" forks set (EIP-7892); the later ones are known to tests alone,
// which name the values themselves.
constexpr BlobSchedule kBpo1{.target = 10, .max = 15, .max_transaction = 6, .update_fraction = 8'346'193};
constexpr BlobSchedule kBpo2{.target = 14, .max = 21, .max_transaction = 6, .update_fraction = 11'684'671};

Result<std::uint64_t> excess_of(const Fields& fields, const uint256& base_fee) {
  if (fields.find("currentExcessBlobGas") != nullptr) return fields.number64("currentExcessBlobGas");
  TRY_ASSIGN(const std::uint64_t excess, fields.number64_or("parentExcessBlobGas", 0));
  TRY_ASSIGN(const std::uint64_t used, fields.number64_or("parentBlobGasUsed", 0));
  return next_excess_blob_gas(excess, used, base_fee, Revision::kCancun);
}

}  // namespace

Result<Environment> environment_of(const boost::json::object& env) {
  const Fields fields(env);
  Environment out;
  TRY_ASSIGN(out.coinbase, fixed_of<Address>(*TRY(fields.need("currentCoinbase")), "currentCoinbase"));
  TRY_ASSIGN(out.number, fields.number64_or("currentNumber", 0));
  TRY_ASSIGN(out.timestamp, fields.number64_or("currentTimestamp", 0));
  TRY_ASSIGN(const uint256 gas_limit, fields.number("currentGasLimit"));
  out.gas_limit = gas_limit.clamp_u64();
  TRY_ASSIGN(out.difficulty, fields.number_or("currentDifficulty", {}));
  TRY_ASSIGN(out.base_fee, fields.number_or("currentBaseFee", uint256(kDefaultBaseFee)));
  if (const auto* randao = fields.find("currentRandom")) {
    TRY_ASSIGN(out.randao, word_of(*randao, "currentRandom"));
  }
  TRY_ASSIGN(out.excess_blob_gas, excess_of(fields, out.base_fee));
  if (const auto* hashes = fields.find("blockHashes")) {
    TRY_ASSIGN(const auto* object, object_of(*hashes, "blockHashes"));
    for (const auto& item : *object) {
      TRY_ASSIGN(const std::uint64_t number, number64_of(json::value(item.key()), "blockHashes"));
      TRY_ASSIGN(out.block_hashes[number], word_of(item.value(), "blockHashes"));
    }
  }
  return out;
}

Hash32 TestHashes::block_hash(std::uint64_t number) const {
  const auto found = environment_.block_hashes.find(number);
  if (found != environment_.block_hashes.end()) return found->second;
  return crypto::keccak256(as_bytes(std::to_string(number)));
}

std::optional<Fork> fork_of(std::string_view name) {
  if (const auto revision = revision_from(name)) return Fork{*revision, blob_schedule(*revision)};
  if (name.size() == 4 && name.starts_with("BPO") && name[3] >= '1' && name[3] <= '5')
    return Fork{Revision::kOsaka, name[3] == '1' ? kBpo1 : kBpo2};
  return std::nullopt;
}

BlockContext block_context(const Environment& environment, const Fork& fork, std::uint64_t chain_id,
                           const BlockHashes& hashes) {
  BlockContext out;
  out.revision = fork.revision;
  out.number = environment.number;
  out.timestamp = environment.timestamp;
  out.randao = environment.randao;
  out.beneficiary = environment.coinbase;
  out.chain_id = chain_id;
  out.gas_limit = environment.gas_limit;
  out.base_fee = fork.revision >= Revision::kLondon ? environment.base_fee : uint256();
  out.difficulty = environment.difficulty;
  out.blob_base_fee = blob_base_fee(environment.excess_blob_gas, fork.blobs);
  out.hashes = &hashes;
  return out;
}

}  // namespace bonus::chain::vectors
