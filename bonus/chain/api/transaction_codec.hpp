// Private to chain/api: the two encodings of a transaction.
#pragma once

#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

enum class TransactionPart : std::uint8_t { kSigned, kUnsigned };

/// With the signature, or what the signature is over (EIP-155 and the typed forms).
[[nodiscard]] Bytes encode_part(const Transaction& tx, TransactionPart part);

}  // namespace bonus::chain
