// The storage layout as data, for the comparison with solc (contracts/check_abi.mjs).
#pragma once

#include <span>
#include <string_view>

namespace bonus::chain::contracts {

struct LayoutEntry {
  std::string_view contract;  ///< "MarketStorage", as in docs/formats/market_storage.md.
  std::string_view name;      ///< "escrowTotal", or "Order.escrow" for a member of a struct.
  unsigned slot = 0;          ///< In words, from the start of the contract or struct.
  unsigned offset = 0;        ///< In bytes, from the least significant end.
  unsigned bytes = 0;         ///< 0: whatever starts at this word.
};
struct StructSize {
  std::string_view contract, name;
  unsigned words = 0;
};
[[nodiscard]] std::span<const LayoutEntry> layout_table();
[[nodiscard]] std::span<const StructSize> layout_sizes();

}  // namespace bonus::chain::contracts
