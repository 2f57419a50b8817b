// A file of encoded blocks, one behind the other, as `geth export` writes it, into a ledger.
#pragma once

#include <functional>
#include <istream>
#include <optional>

#include "bonus/chain/eth/ledger.hpp"

namespace bonus::chain::eth {

/// Reads RLP lists off a stream, one at a time.
class BlockStream {
 public:
  static constexpr std::size_t kMaxBlockBytes = 64 << 20;
  explicit BlockStream(std::istream& in) : in_(in) {}
  /// The next item with its prefix; nothing at the end. kInvalid when what follows is no list, is too long or is cut
  /// off.
  [[nodiscard]] Result<std::optional<Bytes>> next();
  /// Bytes before the next item.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  std::istream& in_;
  std::uint64_t position_ = 0;
};

struct Imported {
  std::uint64_t blocks = 0;   ///< New ones.
  std::uint64_t skipped = 0;  ///< Here already, or the genesis block.
};
/// Appends every block; what was appended stays when one fails. Errors name the block by number and place in the file.
/// `progress` is called after each block.
[[nodiscard]] Result<Imported> import_blocks(EthLedger& ledger, std::istream& in,
                                             const std::function<void(const Imported&)>& progress = {});

}  // namespace bonus::chain::eth
