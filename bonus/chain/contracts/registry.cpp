// The registry and the smallest of the contracts: Foundation, which only holds what it is sent.
#include "bonus/chain/contracts/registry.hpp"

#include <array>

#include "bonus/chain/contracts/market.hpp"
#include "bonus/chain/contracts/names.hpp"
#include "bonus/chain/contracts/nodes.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::contracts {
namespace {

/// 0x...b008. Receives plain transfers; what it holds it owes to the community.
class FoundationContract final : public NativeContract {
 public:
  [[nodiscard]] Address address() const override { return kFoundationAddress; }
  [[nodiscard]] CallOutcome call(Host& /*host*/, const CallInput& input) const override {
    if (!input.data.empty()) return {false, abi::encode_revert("unknown function")};
    return {true, {}};
  }
  void end_block(Host& /*host*/) const override {}
  [[nodiscard]] uint256 liabilities(const Host& host) const override { return host.balance(kFoundationAddress); }
};

class SystemContracts final : public ContractRegistry {
 public:
  [[nodiscard]] const NativeContract* find(const Address& address) const override {
    for (const NativeContract* contract : all_) {
      if (contract->address() == address) return contract;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<const NativeContract*> in_order() const override { return {all_.begin(), all_.end()}; }

 private:
  NodesContract nodes_;
  MarketContract market_;
  NamesContract names_;
  FoundationContract foundation_;
  std::array<const NativeContract*, 4> all_{&nodes_, &market_, &names_, &foundation_};
};

}  // namespace

const ContractRegistry& system_contracts() {
  static const SystemContracts registry;
  return registry;
}

}  // namespace bonus::chain::contracts
