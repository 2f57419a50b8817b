// Storage slots as people write them: QUANTITY, DATA and anything in between. Internal to this folder.
#pragma once

#include "bonus/base/uint256.hpp"
#include "bonus/chain/rpc/params.hpp"

namespace bonus::chain::rpc {

struct StorageKey {
  uint256 slot;
  bool whole = false;  ///< All 32 bytes were written out; eth_getProof answers in the same form.
};
/// Leading zeros and odd lengths are fine, at most 32 bytes. -32602 with geth's texts.
[[nodiscard]] Reply<StorageKey> read_storage_key(const boost::json::value& value);
[[nodiscard]] inline Reply<StorageKey> read_storage_key(const Params& params, std::size_t index) {
  TRY_ASSIGN(const auto* value, params.required(index));
  return read_storage_key(*value);
}

}  // namespace bonus::chain::rpc
