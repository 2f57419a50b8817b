// The messages by which nodes tell each other of transactions: services "tx.hashes", "tx.want" and "tx.bodies" of
// docs/formats/node_services.md.
#pragma once

#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::node {

inline constexpr std::size_t kMaxGossipHashes = 1024;        ///< In "tx.hashes" and "tx.want".
inline constexpr std::size_t kMaxGossipBodies = 256;         ///< In "tx.bodies".
inline constexpr std::size_t kMaxGossipBodyBytes = 1 << 20;  ///< Of a "tx.bodies" message.

[[nodiscard]] Bytes encode_hashes(const std::vector<Hash32>& hashes);
/// kInvalid: more than kMaxGossipHashes, or no multiple of 32 bytes.
[[nodiscard]] Result<std::vector<Hash32>> decode_hashes(BytesView message);

/// Transactions as in eth_sendRawTransaction.
[[nodiscard]] Bytes encode_bodies(const std::vector<Bytes>& bodies);
/// Views into `message`. kInvalid: not canonical, or above a bound.
[[nodiscard]] Result<std::vector<BytesView>> decode_bodies(BytesView message);

}  // namespace bonus::node
