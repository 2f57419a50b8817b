// What a header must be after its parent, by Ethereum's rules of every fork (Yellow Paper 4.3.4; EIP-2, 100, 649, 1559,
// 3675, 4844, 7685).
#pragma once

#include "bonus/chain/eth/config.hpp"

namespace bonus::chain::eth {

/// A block that later ones build on.
struct Ancestor {
  Header header;
  Hash32 hash;
  uint256 total_difficulty;  ///< Its own difficulty included.
  std::vector<Header> ommers;
};
/// Where earlier blocks are found. Thread-safe.
class Ancestry {
 public:
  virtual ~Ancestry() = default;
  /// kNotFound when it is unknown.
  [[nodiscard]] virtual Result<Ancestor> ancestor(const Hash32& hash) const = 0;
};

/// The difficulty of a proof-of-work block with this timestamp after `parent`.
[[nodiscard]] uint256 next_difficulty(const Header& parent, UnixSeconds timestamp, const Rules& rules);
/// EIP-1559 for the block after `parent`; `rules` are the block's.
[[nodiscard]] uint256 next_base_fee(const Header& parent, const Rules& rules);
/// EIP-4844 and 7918 for the block after `parent`; 0 before Cancun.
[[nodiscard]] std::uint64_t next_excess_blob_gas(const Header& parent, const Rules& rules);

/// kInvalid names the field ("header field gasLimit: ..."). Of ommers too. Proofs of work are not checked.
[[nodiscard]] Result<> check_header(const Header& header, const Header& parent, const ChainConfig& config);
/// EIP-3675: proof of work up to the terminal total difficulty, proof of stake behind it.
[[nodiscard]] Result<> check_merge(const Header& header, const uint256& parent_total_difficulty,
                                   const ChainConfig& config);
/// At most two, each a header that is no ancestor, whose parent is one of the seven last ancestors but the parent, and
/// which none of them has included.
[[nodiscard]] Result<> check_ommers(const Block& block, const Ancestor& parent, const ChainConfig& config,
                                    const Ancestry& ancestry);

}  // namespace bonus::chain::eth
