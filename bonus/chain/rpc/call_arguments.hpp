// The transaction object of eth_call and its kin (GenericTransaction of execution-apis), read as geth reads it.
#pragma once

#include <optional>

#include "bonus/chain/api/types.hpp"
#include "bonus/chain/rpc/params.hpp"

namespace bonus::chain::rpc {

struct CallArguments {
  Address from;  ///< Zero when none is given.
  std::optional<Address> to;
  std::optional<std::uint64_t> gas, nonce;
  std::optional<uint256> gas_price, max_fee, tip, blob_fee;  ///< Wei per gas.
  uint256 value;
  Bytes data;
  std::optional<std::vector<Transaction::AccessEntry>> access_list;
  std::optional<std::vector<Hash32>> blob_hashes;
  std::optional<std::vector<Authorization>> authorizations;

  /// What one gas costs at most; zero: the call is free.
  [[nodiscard]] uint256 fee_cap() const;
};

/// -32602 for what cannot be read, -32000 for fields that contradict each other or another chain's id.
[[nodiscard]] Reply<CallArguments> read_call(const Params& params, std::size_t index, std::uint64_t chain_id);
[[nodiscard]] Result<CallArguments> call_of(const boost::json::value& value);
/// The rules between fields, with geth's texts.
[[nodiscard]] Result<> check_call(const boost::json::value& value, const CallArguments& call, std::uint64_t chain_id);

/// The smallest type with all its fields, as geth's ToTransaction: 4, 3, 2, 1, 0. Not signed; the hash is that of the
/// unsigned form with an empty signature.
[[nodiscard]] SenderTransaction to_transaction(const CallArguments& call, std::uint64_t gas, std::uint64_t nonce,
                                               std::uint64_t chain_id);

}  // namespace bonus::chain::rpc
