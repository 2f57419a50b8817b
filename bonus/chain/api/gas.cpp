// Intrinsic gas (EIP-2028, EIP-2930, EIP-3860, EIP-7623) and the base fee (EIP-1559).
#include "bonus/chain/api/gas.hpp"

#include <fmt/format.h>

#include "bonus/crypto/keys.hpp"

namespace bonus::chain {
namespace {

std::uint64_t calldata_tokens(const Transaction& tx) {
  const auto zeros = static_cast<std::uint64_t>(std::ranges::count(tx.data, std::uint8_t{0}));
  return zeros + 4 * (tx.data.size() - zeros);
}

}  // namespace

std::uint64_t intrinsic_gas(const Transaction& tx) {
  std::uint64_t gas = kTransactionGas + kCalldataTokenGas * calldata_tokens(tx);
  if (!tx.to) gas += kCreationGas + kInitCodeWordGas * ((tx.data.size() + 31) / 32);
  for (const auto& entry : tx.access_list) gas += kAccessAddressGas + kAccessKeyGas * entry.keys.size();
  return gas;
}

std::uint64_t floor_gas(const Transaction& tx) {
  return kTransactionGas + kCalldataFloorTokenGas * calldata_tokens(tx);
}

std::uint64_t minimum_gas(const Transaction& tx) { return std::max(intrinsic_gas(tx), floor_gas(tx)); }

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

Result<> check_static(const Transaction& tx, std::uint64_t chain_id, std::uint64_t block_gas_limit) {
  if (tx.chain_id == 0) {
    return fail(ErrorCode::kInvalid,
                "only replay-protected (EIP-155) transactions allowed over RPC: sign with the chain id");
  }
  if (tx.chain_id != chain_id)
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid chain id for signer: have {} want {}", tx.chain_id, chain_id));
  if (!tx.to) {
    return fail(ErrorCode::kUnsupported,
                "contract creation is not supported by this chain yet: it has native contracts only");
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
  return {};
}

}  // namespace bonus::chain
