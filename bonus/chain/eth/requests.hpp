// What the execution layer asks of the beacon chain at the end of a block (EIP-6110, 7002, 7251, 7685).
#pragma once

#include "bonus/chain/api/types.hpp"

namespace bonus::chain::eth {

/// `type || data`.
inline constexpr std::uint8_t kDepositRequest = 0, kWithdrawalRequest = 1, kConsolidationRequest = 2;

/// The data of all deposits that the contract logged, in order. kInvalid for a log that is not laid out as the deposit
/// contract does it.
[[nodiscard]] Result<Bytes> deposits_of(const std::vector<Receipt>& receipts, const Address& deposit_contract);
/// sha256 over the sha256 of each request; those without data do not count.
[[nodiscard]] Hash32 requests_hash(const std::vector<Bytes>& requests);

}  // namespace bonus::chain::eth
