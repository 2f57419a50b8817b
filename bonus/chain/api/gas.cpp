// Intrinsic gas (EIP-2, 2028, 2930, 3860, 7623, 7702), the base fee (EIP-1559) and the blob fee (EIP-4844, 7691, 7918).
#include "bonus/chain/api/gas.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/crypto/keys.hpp"

namespace bonus::chain {
namespace {

constexpr std::uint64_t kBlobBaseCost = 1 << 13;  // EIP-7918

std::uint64_t zero_bytes(const Transaction& tx) {
  return static_cast<std::uint64_t>(std::ranges::count(tx.data, std::uint8_t{0}));
}

/// sum + price * count, or UINT64_MAX.
std::uint64_t charge(std::uint64_t sum, std::uint64_t price, std::uint64_t count) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(price, count, &product) || __builtin_add_overflow(sum, product, &sum)) return UINT64_MAX;
  return sum;
}

/// EIP-4844: factor * e^(numerator / denominator) by Taylor's series in integers; the factor is 1.
uint256 fake_exponential(std::uint64_t numerator, std::uint64_t denominator) {
  constexpr uint256 kMost = ~uint256();
  uint256 sum;
  uint256 term(denominator);
  for (std::uint64_t i = 1; !term.is_zero(); ++i) {
    if (add_overflows(sum, term, sum)) return kMost;
    const uint256 divisor = uint256(denominator) * uint256(i);
    uint256 bound;  // the next term is below this
    if (mul_overflows(term, uint256(numerator) / divisor + uint256(1), bound)) return kMost;
    term = mul_div(term, uint256(numerator), divisor);
  }
  return sum / uint256(denominator);
}

}  // namespace

std::uint64_t intrinsic_gas(const Transaction& tx, Revision revision) {
  const std::uint64_t zeros = zero_bytes(tx);
  const bool cheap = revision >= Revision::kIstanbul;
  std::uint64_t gas = charge(kTransactionGas, kCalldataZeroGas, zeros);
  gas = charge(gas, cheap ? kCalldataNonZeroGas : kCalldataNonZeroGasOld, tx.data.size() - zeros);
  if (!tx.to) {
    if (revision >= Revision::kHomestead) gas = charge(gas, kCreationGas, 1);
    if (revision >= Revision::kShanghai)
      gas = charge(gas, kInitCodeWordGas, tx.data.size() / 32 + (tx.data.size() % 32 != 0));
  }
  for (const auto& entry : tx.access_list) {
    gas = charge(gas, kAccessAddressGas, 1);
    gas = charge(gas, kAccessKeyGas, entry.keys.size());
  }
  return charge(gas, kAuthorizationGas, tx.authorizations.size());
}

std::uint64_t floor_gas(const Transaction& tx, Revision revision) {
  if (revision < Revision::kPrague) return 0;
  const std::uint64_t zeros = zero_bytes(tx);
  const std::uint64_t gas = charge(kTransactionGas, kCalldataFloorTokenGas, zeros);
  return charge(gas, 4 * kCalldataFloorTokenGas, tx.data.size() - zeros);
}

std::uint64_t minimum_gas(const Transaction& tx, Revision revision) {
  return std::max(intrinsic_gas(tx, revision), floor_gas(tx, revision));
}

uint256 next_base_fee(const Header& parent, const Genesis& genesis) {
  if (parent.number == 0) return std::max(genesis.base_fee, genesis.min_base_fee);
  const std::uint64_t target = std::max<std::uint64_t>(parent.gas_limit / kBaseFeeElasticity, 1);
  uint256 next = parent.base_fee;
  if (parent.gas_used > target) {
    const uint256 delta = mul_div(parent.base_fee, uint256(parent.gas_used - target), uint256(target)) /
                          uint256(kBaseFeeChangeDenominator);
    if (add_overflows(parent.base_fee, std::max(delta, uint256(1)), next)) next = parent.base_fee;
  } else if (parent.gas_used < target) {
    next -= mul_div(parent.base_fee, uint256(target - parent.gas_used), uint256(target)) /
            uint256(kBaseFeeChangeDenominator);
  }
  return std::max(next, genesis.min_base_fee);
}

BlobSchedule blob_schedule(Revision revision) {
  if (revision < Revision::kCancun) return {};
  if (revision == Revision::kCancun) return {.target = 3, .max = 6, .max_transaction = 6, .update_fraction = 3'338'477};
  // EIP-7594 bounds the blobs of one transaction from Osaka on; before, only the block's bound held.
  const std::uint32_t each = revision >= Revision::kOsaka ? 6 : 9;
  return {.target = 6, .max = 9, .max_transaction = each, .update_fraction = 5'007'716};
}

std::uint64_t blob_gas(const Transaction& tx) { return charge(0, kGasPerBlob, tx.blob_hashes.size()); }

uint256 blob_base_fee(std::uint64_t excess_blob_gas, Revision revision) {
  return blob_base_fee(excess_blob_gas, blob_schedule(revision));
}

uint256 blob_base_fee(std::uint64_t excess_blob_gas, const BlobSchedule& schedule) {
  if (schedule.update_fraction == 0) return {};
  return fake_exponential(excess_blob_gas, schedule.update_fraction);
}

std::uint64_t next_excess_blob_gas(std::uint64_t parent_excess, std::uint64_t parent_used,
                                   const uint256& parent_base_fee, Revision revision) {
  return next_excess_blob_gas(parent_excess, parent_used, parent_base_fee, revision, blob_schedule(revision));
}

std::uint64_t next_excess_blob_gas(std::uint64_t parent_excess, std::uint64_t parent_used,
                                   const uint256& parent_base_fee, Revision revision, const BlobSchedule& schedule) {
  const std::uint64_t target = kGasPerBlob * schedule.target;
  const std::uint64_t sum = charge(parent_excess, parent_used, 1);
  if (sum < target) return 0;
  if (revision >= Revision::kOsaka && schedule.max > 0) {
    uint256 execution, blobs;  // a product that does not fit is larger than any that does
    const bool huge = mul_overflows(uint256(kBlobBaseCost), parent_base_fee, execution);
    const bool huge_blobs = mul_overflows(uint256(kGasPerBlob), blob_base_fee(parent_excess, schedule), blobs);
    if (huge > huge_blobs || (huge == huge_blobs && execution > blobs)) {
      const uint256 kept =
          mul_div(uint256(parent_used), uint256(schedule.max - schedule.target), uint256(schedule.max));
      return charge(parent_excess, kept.clamp_u64(), 1);
    }
  }
  return sum - target;
}

Result<> check_static(const Transaction& tx, std::uint64_t chain_id, std::uint64_t block_gas_limit) {
  if (tx.type == 3) {
    return fail(
        ErrorCode::kUnsupported,
        "transaction type not supported: tx type 3 not supported by this pool: BonusChain has no blob carriers");
  }
  if (tx.type > 4)
    return fail(ErrorCode::kUnsupported, fmt::format("transaction type not supported: tx type {}", tx.type));
  if (tx.chain_id == 0) {
    return fail(ErrorCode::kInvalid,
                "only replay-protected (EIP-155) transactions allowed over RPC: sign with the chain id");
  }
  if (tx.chain_id != chain_id)
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid chain id for signer: have {} want {}", tx.chain_id, chain_id));
  if (!tx.to && tx.data.size() > kMaxInitCodeBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max initcode size exceeded: code size {}, limit {}", tx.data.size(), kMaxInitCodeBytes));
  }
  if (tx.gas_limit > kMaxTransactionGas) {
    return fail(ErrorCode::kInvalid,
                fmt::format("transaction gas limit too high (cap: {}, tx: {})", kMaxTransactionGas, tx.gas_limit));
  }
  if (tx.max_priority_fee > tx.max_fee) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {}, "
                            "maxFeePerGas: {}",
                            tx.max_priority_fee.to_decimal(), tx.max_fee.to_decimal()));
  }
  uint256 cost;
  if (mul_overflows(uint256(tx.gas_limit), tx.max_fee, cost) || add_overflows(cost, tx.value, cost))
    return fail(ErrorCode::kInvalid, "gas limit times fee plus value exceeds 256 bits");
  if (tx.nonce == UINT64_MAX) return fail(ErrorCode::kInvalid, "nonce has max value");
  if (tx.gas_limit > block_gas_limit)
    return fail(ErrorCode::kExhausted,
                fmt::format("exceeds block gas limit: {} above {}", tx.gas_limit, block_gas_limit));
  if (const std::uint64_t need = intrinsic_gas(tx); tx.gas_limit < need)
    return fail(ErrorCode::kInvalid,
                fmt::format("intrinsic gas too low: gas {}, minimum needed {}", tx.gas_limit, need));
  if (const std::uint64_t need = floor_gas(tx); tx.gas_limit < need) {
    return fail(ErrorCode::kInvalid,
                fmt::format("insufficient gas for floor data gas cost: gas {}, minimum needed {}", tx.gas_limit, need));
  }
  if (tx.type == 4) {
    if (!tx.to) return fail(ErrorCode::kInvalid, "EIP-7702 transaction cannot be used to create contract");
    if (tx.authorizations.empty())
      return fail(ErrorCode::kInvalid, "set code tx must have at least one authorization tuple");
  }
  return {};
}

}  // namespace bonus::chain
