// Messages of block synchronisation: a version byte and RLP. Bounded on both sides.
#pragma once

#include <vector>

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::sync {

inline constexpr std::uint8_t kMessageVersion = 1;
inline constexpr std::uint32_t kMaxBlocksPerReply = 128;
/// A reply stops before this, but always carries one block if the peer has it.
inline constexpr std::size_t kMaxReplyBytes = 6 << 20;
inline constexpr std::size_t kMaxCommitBytes = 64 << 10;  ///< 128 seals of 66 bytes and their framing fit well.

/// version || rlp([height, hash]): "my head is this".
struct Status {
  std::uint64_t height = 0;
  Hash32 hash;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<Status> decode(BytesView in);
};

/// version || rlp([from, count]).
struct RangeRequest {
  std::uint64_t from = 0;   ///< First height; at least 1.
  std::uint32_t count = 0;  ///< 1..kMaxBlocksPerReply.
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<RangeRequest> decode(BytesView in);
};

struct FinalBlock {
  Bytes block;   ///< Block::encode().
  Bytes commit;  ///< consensus::CommitCert::encode().
};

/// version || rlp([from, [[block, commit]...]]): consecutive heights from `from`; fewer than asked, or none, is
/// allowed.
struct RangeReply {
  std::uint64_t from = 0;
  std::vector<FinalBlock> blocks;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<RangeReply> decode(BytesView in);
};

/// The answer of a node to a request: what it has of the range, within the bounds. Errors are this node's own
/// (kCorrupt, kIo).
[[nodiscard]] Result<RangeReply> serve(const LedgerReader& ledger, const RangeRequest& request);

}  // namespace bonus::chain::sync
