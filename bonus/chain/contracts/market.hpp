// The Market contract (IMarket.sol), 0x...b003.
#pragma once

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::contracts {

class MarketContract final : public NativeContract {
 public:
  [[nodiscard]] Address address() const override { return kMarketAddress; }
  [[nodiscard]] CallOutcome call(Host& host, const CallInput& input) const override;
  /// Failed workers, timers (deposit, duration, start), settlements, matching: in this order, so that what was freed or
  /// lost in a block is matched again in the same block.
  void end_block(Host& host) const override;
  /// The escrow of all orders.
  [[nodiscard]] uint256 liabilities(const Host& host) const override;
};

}  // namespace bonus::chain::contracts
