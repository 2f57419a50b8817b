// One block's state transition as `evm t8n` of go-ethereum defines it: accounts, environment and transactions in,
// accounts and what a header would say out. No files, no program: apps/bonus_t8n.cpp has those.
#pragma once

#include <boost/json/value.hpp>
#include <functional>

#include "bonus/chain/eth/execution.hpp"
#include "bonus/chain/eth/genesis.hpp"

namespace bonus::chain::eth {

struct TransitionInput {
  Alloc alloc;
  boost::json::value env;
  boost::json::value transactions;  ///< An array of objects, or the RLP list of transactions as a hex string.
  ChainConfig config;
  std::optional<uint256> reward;  ///< Wei for the block; nothing: none is paid.
  evm::Tracer* tracer = nullptr;
  /// Before and after each transaction that is tried, with its index and hash.
  std::function<void(std::size_t index, const Hash32& hash)> on_transaction;
  std::function<void(const Receipt& receipt)> on_receipt;
};

struct TransitionOutput {
  Alloc alloc;
  boost::json::object result;
  Bytes body;  ///< rlp([transaction...]) of those that were included.
};

/// kUnsupported: the environment lacks what the fork needs; kNotFound: a transaction asked for a block hash that the
/// environment does not have; kInvalid: the input is malformed, with the place. Transactions that are not valid are in
/// the result under "rejected".
[[nodiscard]] Result<TransitionOutput> run_transition(const TransitionInput& input);

/// A transaction as t8n reads it: fields as the JSON-RPC names them, signed with v, r, s or to be signed with
/// "secretKey" ("protected": false for a type-0 signature without a chain id). Of the transaction alone.
[[nodiscard]] Result<Transaction> read_test_transaction(const boost::json::object& object, std::uint64_t chain_id);

/// `env`, read and completed from the parent's values.
struct TransitionEnv {
  Header header;
  Rules rules;
  std::map<std::uint64_t, Hash32> block_hashes;
  std::optional<Hash32> beacon_root;
  std::optional<uint256> base_fee;  ///< To be shown: from London on, or where the environment names one all the same.
  bool has_blob_gas = false;        ///< The excess blob gas is known; else it is taken as 0 and not shown.
  std::vector<Payments::Ommer> ommers;
  std::vector<Withdrawal> withdrawals;
};
[[nodiscard]] Result<TransitionEnv> read_transition_env(const boost::json::value& env, const ChainConfig& config);

}  // namespace bonus::chain::eth
