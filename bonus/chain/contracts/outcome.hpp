// What the functions of the system contracts return: values for the ABI, or a text for `Error(string)`.
#pragma once

#include <string>

#include "bonus/base/result.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/storage.hpp"

namespace bonus::chain::contracts {

/// Error::message becomes the revert text; the code is not seen outside.
[[nodiscard]] inline std::unexpected<Error> revert(std::string reason) {
  return fail(ErrorCode::kInvalid, std::move(reason));
}

/// Finds the function in the ABI table, checks mutability and value, decodes, calls `run(info, arguments)` and encodes.
template <class Run>
CallOutcome dispatch(Context& context, const CallInput& input, Run run) {
  const auto refused = [](std::string_view reason) { return CallOutcome{false, abi::encode_revert(reason)}; };
  context.charge(gas::kCall);
  const market::FunctionInfo* info = market::find_function(input.contract, input.data);
  if (info == nullptr) return refused("unknown function");
  const bool changes = info->mutability != market::Mutability::kView;
  if (changes && input.read_only) return refused(info->function.name + ": state cannot change in a static call");
  if (info->mutability != market::Mutability::kPayable && !input.value.is_zero()) {
    return refused(info->function.name + ": takes no value");
  }
  const auto arguments = abi::decode(info->function.inputs, input.data.subspan(4));
  if (!arguments) return refused(info->function.name + ": " + arguments.error().message);
  Result<abi::Values> result = run(*info, *arguments);
  if (!result) return refused(result.error().message);
  auto output = abi::encode(info->function.outputs, *result);
  if (!output) return refused(info->function.name + ": " + output.error().message);
  if (context.exhausted()) return refused("out of gas");
  return {true, *std::move(output)};
}

/// Free text of [a-z0-9-], at most 32 bytes.
[[nodiscard]] inline Result<> check_region(std::string_view region) {
  if (region.size() > 32) return revert("region: at most 32 bytes");
  for (const char c : region) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return revert("region: only a-z, 0-9 and '-'");
  }
  return {};
}

}  // namespace bonus::chain::contracts
