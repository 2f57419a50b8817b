// The genesis file: who agrees at the start, who owns what, and every parameter that all nodes must share. JSON.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"

namespace bonus::chain {

/// Every constant of market.md that this form of the chain uses. Times in seconds of block time.
struct MarketParams {
  std::uint32_t foundation_fee_bps = 100;  ///< 1% of what a user pays.
  std::uint32_t max_royalty_bps = 5000;
  std::uint32_t heartbeat_interval_s = 2;  ///< A worker with leases reports at least this often.
  std::uint32_t heartbeat_timeout_s = 8;   ///< Silent for longer (and for heartbeat_timeout_blocks): worker failed.
  std::uint32_t heartbeat_timeout_blocks = 4;
  std::uint32_t start_timeout_s = 120;         ///< matched, but not started for longer: worker failed.
  std::uint32_t settle_interval_s = 10;        ///< A running lease is paid out at least this often.
  std::uint32_t low_balance_s = 60;            ///< LowBalance event when the escrow lasts for less.
  std::uint32_t penalty_factor_bps = 5000;     ///< Draw weight multiplier after an interruption (halves).
  std::uint32_t penalty_halflife_s = 3600;     ///< Time in which half of the lost weight heals.
  std::uint32_t interruption_slash_bps = 100;  ///< Of the worker's bond, forfeited to the user.
  uint256 min_worker_bond;                     ///< Wei that registration of a worker locks.
  std::uint32_t max_matches_per_block = 256;
  std::uint32_t max_expiries_per_block = 1024;
};

/// Constants of the Names contract (docs/formats/names.md). Prices in wei for a year, each below 2^128.
struct NameParams {
  uint256 price3 = uint256(640U) * uint256(1'000'000'000'000'000'000ULL);  ///< Of a name of three characters.
  uint256 price4 = uint256(160U) * uint256(1'000'000'000'000'000'000ULL);
  uint256 price5 = uint256(5U) * uint256(1'000'000'000'000'000'000ULL);  ///< Of five and more.
  std::uint32_t min_commitment_age_s = 10;
  std::uint32_t max_commitment_age_s = 86'400;
  std::uint32_t min_duration_s = 86'400;       ///< Of one registration or renewal.
  std::uint32_t max_duration_s = 315'360'000;  ///< Ahead of now, at most.
  std::uint32_t grace_s = 2'592'000;           ///< After the expiry: renewal only.
};

struct Genesis {
  std::uint64_t chain_id = 0;
  std::string name;
  UnixSeconds timestamp = 0;
  std::uint64_t gas_limit = 60'000'000;
  uint256 base_fee;                        ///< Of block 1, wei.
  uint256 min_base_fee;                    ///< Never below.
  std::uint32_t block_interval_ms = 1000;  ///< With work.
  std::uint32_t idle_interval_ms = 5000;   ///< Without.
  struct Bookkeeper {
    Ed25519PublicKey key;  ///< Node key; signs consensus messages in this form of the chain.
    Address account;
    std::string endpoint;  ///< "host:port" of the node-to-node service.
  };
  std::vector<Bookkeeper> bookkeepers;  ///< In registration order; 1..128.
  std::map<Address, uint256> balances;
  Address foundation;
  MarketParams market;
  std::optional<NameParams> names;  ///< Nothing: this chain has no Names contract.

  [[nodiscard]] std::string to_json() const;
  /// kInvalid names the key and what is wrong with it; unknown keys are refused.
  [[nodiscard]] static Result<Genesis> from_json(std::string_view text);
  [[nodiscard]] Hash32 validators_hash() const;  ///< keccak(rlp([key...])).
};

}  // namespace bonus::chain
