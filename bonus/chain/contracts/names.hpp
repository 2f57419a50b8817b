// The Names contract (INames.sol), 0x...b005: .bonus names with owners, records and an end.
#pragma once

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::contracts {

/// Holds no money: fees go to the foundation at once, what was sent above the price goes back.
class NamesContract final : public NativeContract {
 public:
  [[nodiscard]] Address address() const override { return kNamesAddress; }
  [[nodiscard]] CallOutcome call(Host& host, const CallInput& input) const override;
  /// Nothing: names expire by the clock of whoever looks.
  void end_block(Host& /*host*/) const override {}
  [[nodiscard]] uint256 liabilities(const Host& /*host*/) const override { return {}; }
  [[nodiscard]] bool exists_in(const Genesis& genesis) const override { return genesis.names.has_value(); }
};

}  // namespace bonus::chain::contracts
