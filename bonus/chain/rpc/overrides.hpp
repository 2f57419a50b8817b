// State and block overrides of eth_call, eth_simulateV1 and debug_traceCall, as geth has them.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <vector>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/state/journal.hpp"

namespace bonus::chain::rpc {

struct AccountOverride {
  using Slots = std::vector<std::pair<uint256, uint256>>;
  Address address;
  std::optional<std::uint64_t> nonce;
  std::optional<uint256> balance;
  std::optional<Bytes> code;
  std::optional<Slots> state;       ///< All the storage there is.
  std::optional<Slots> state_diff;  ///< Slots that differ.
  std::optional<Address> move_precompile_to;
};
using StateOverrides = std::vector<AccountOverride>;

struct BlockOverrides {
  std::optional<uint256> number, difficulty, base_fee, blob_base_fee;
  std::optional<std::uint64_t> time, gas_limit;
  std::optional<Address> fee_recipient;
  std::optional<Hash32> prev_randao, beacon_root;
  std::optional<std::vector<Withdrawal>> withdrawals;

  void apply(BlockContext& block) const;
};

[[nodiscard]] Result<StateOverrides> read_state_overrides(const boost::json::value& value);
[[nodiscard]] Result<BlockOverrides> read_block_overrides(const boost::json::value& value);

/// Where the precompiles of the block are after the overrides; adds to `moved`. The texts are geth's.
[[nodiscard]] Result<> move_precompiles(const StateOverrides& overrides, Revision revision,
                                        evm::MovedPrecompiles& moved);
/// Writes all else. What is done next is a new transaction.
void apply_overrides(const StateOverrides& overrides, state::Journal& journal);

}  // namespace bonus::chain::rpc
