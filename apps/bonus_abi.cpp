// bonus-abi: prints the ABI of the system contracts as this build has it, as JSON. Compared with the .sol interfaces by
// contracts/check_abi.mjs.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"

namespace {

std::string_view name_of(const bonus::Address& contract) {
  return contract == bonus::chain::kNodesAddress ? "INodes" : "IMarket";
}

std::string_view name_of(bonus::chain::market::Mutability mutability) {
  switch (mutability) {
    case bonus::chain::market::Mutability::kView:
      return "view";
    case bonus::chain::market::Mutability::kPayable:
      return "payable";
    case bonus::chain::market::Mutability::kNonPayable:
      break;
  }
  return "nonpayable";
}

}  // namespace

int main() {
  // Names and types contain no character that JSON would have to escape.
  std::string out = "{\"functions\":[";
  std::string_view comma;
  for (const auto& info : bonus::chain::market::functions()) {
    out += fmt::format(
        R"({}{{"contract":"{}","address":"{}","signature":"{}{}","selector":"{}","outputs":"{}","mutability":"{}"}})",
        comma, name_of(info.contract), bonus::to_hex0x(info.contract), info.function.name,
        info.function.inputs.to_string(), bonus::to_hex(info.function.selector), info.function.outputs.to_string(),
        name_of(info.mutability));
    comma = ",\n";
  }
  out += "],\n\"events\":[";
  comma = {};
  for (const auto& info : bonus::chain::market::events()) {
    out += fmt::format(R"({}{{"contract":"{}","signature":"{}","topic":"{}","indexed":{}}})", comma,
                       name_of(info.contract), info.signature, bonus::to_hex(info.topic), info.indexed);
    comma = ",\n";
  }
  out += "]}\n";
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
