// bonus-abi: prints the ABI and the storage layout of the system contracts as this build has them, as JSON. Compared
// with the .sol interfaces and the listings of docs/formats/{market_storage,names}.md by contracts/check_abi.mjs.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/layout_table.hpp"

namespace {

std::string_view name_of(const bonus::Address& contract) {
  if (contract == bonus::chain::kNamesAddress) return "INames";
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
  out += "],\n\"layout\":[";
  comma = {};
  for (const auto& entry : bonus::chain::contracts::layout_table()) {
    out += fmt::format(R"({}{{"contract":"{}","name":"{}","slot":{},"offset":{},"bytes":{}}})", comma, entry.contract,
                       entry.name, entry.slot, entry.offset, entry.bytes);
    comma = ",\n";
  }
  out += "],\n\"sizes\":[";
  comma = {};
  for (const auto& entry : bonus::chain::contracts::layout_sizes()) {
    out +=
        fmt::format(R"({}{{"contract":"{}","name":"{}","words":{}}})", comma, entry.contract, entry.name, entry.words);
    comma = ",\n";
  }
  out += "]}\n";
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
