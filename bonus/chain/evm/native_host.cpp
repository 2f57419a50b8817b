// Metering and write protection of system contracts.
#include "bonus/chain/evm/native_host.hpp"

namespace bonus::chain::evm {

Result<> NativeHost::transfer(const Address& from, const Address& to, const uint256& amount) {
  if (denied()) return fail(ErrorCode::kDenied, "write protection: a static call cannot move money");
  return journal_.transfer(from, to, amount);
}

Result<> NativeHost::charge(std::uint64_t gas) {
  if (!metered_) return {};
  if (gas > left_) {
    left_ = 0;
    out_of_gas_ = true;
    return fail(ErrorCode::kExhausted, "out of gas");
  }
  left_ -= gas;
  return {};
}

}  // namespace bonus::chain::evm
