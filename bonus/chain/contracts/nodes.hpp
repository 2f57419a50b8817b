// The Nodes contract (INodes.sol), 0x...b002.
#pragma once

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::contracts {

class NodesContract final : public NativeContract {
 public:
  [[nodiscard]] Address address() const override { return kNodesAddress; }
  [[nodiscard]] CallOutcome call(Host& host, const CallInput& input) const override;
  /// Nothing: Market's hook finds failed workers, since only they matter who have leases.
  void end_block(Host& /*host*/) const override {}
  /// The bonds.
  [[nodiscard]] uint256 liabilities(const Host& host) const override;
};

}  // namespace bonus::chain::contracts
