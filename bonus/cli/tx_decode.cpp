// ABI values as text, by the tables of the market ABI.
#include "bonus/cli/tx_decode.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/cli/console.hpp"

namespace bonus::cli {
namespace {

namespace market = chain::market;
using Kind = abi::Type::Kind;

constexpr std::size_t kSelectorBytes = 4;

std::string contract_name(const Address& contract) {
  if (contract == chain::kNamesAddress) return "Names";
  return contract == chain::kNodesAddress ? "Nodes" : contract == chain::kMarketAddress ? "Market" : to_hex0x(contract);
}

std::string text_of(const abi::Type& type, const abi::Value& value) {
  switch (type.kind) {
    case Kind::kBool:
      return value.boolean() ? "true" : "false";
    case Kind::kAddress:
      return crypto::to_checksum(value.address());
    case Kind::kFixedBytes:
    case Kind::kBytes:
      return to_hex0x(value.bytes());
    case Kind::kString:
      return fmt::format("\"{}\"", printable(value.text()));
    case Kind::kInt: {
      const uint256& number = value.number();
      return slt(number, uint256()) ? "-" + (uint256() - number).to_decimal() : number.to_decimal();
    }
    case Kind::kUint:
      return value.number().to_decimal();
    case Kind::kTuple:
    case Kind::kArray:
    case Kind::kFixedArray:
      break;
  }
  const bool tuple = type.kind == Kind::kTuple;
  std::string out = tuple ? "(" : "[";
  const auto& items = value.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ", ";
    out += text_of(type.inner[tuple ? i : 0], items[i]);
  }
  return out + (tuple ? ")" : "]");
}

/// Members without the brackets.
std::string list_of(const abi::Type& tuple, const abi::Values& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size() && i < tuple.inner.size(); ++i) {
    if (i != 0) out += ", ";
    out += text_of(tuple.inner[i], values[i]);
  }
  return out;
}

}  // namespace

std::optional<DecodedCall> decode_call(const Address& to, BytesView data) {
  const market::FunctionInfo* info = market::find_function(to, data);
  if (info == nullptr) return std::nullopt;
  const auto values = abi::decode(info->function.inputs, data.subspan(kSelectorBytes));
  if (!values) return std::nullopt;
  DecodedCall out{contract_name(to), info->function.name, list_of(info->function.inputs, *values), ""};
  out.text = fmt::format("{}({})", out.name, out.arguments);
  return out;
}

std::optional<DecodedEvent> decode_event(const chain::Log& log) {
  for (const auto& info : market::events()) {
    if (info.contract != log.address || log.topics.empty() || log.topics.front() != info.topic) continue;
    const auto values = market::parse_log(info.event, log);
    if (!values) return std::nullopt;
    DecodedEvent out{contract_name(log.address), info.signature.substr(0, info.signature.find('(')),
                     list_of(info.parameters, *values), ""};
    out.text = fmt::format("{}({})", out.name, out.parameters);
    return out;
  }
  return std::nullopt;
}

}  // namespace bonus::cli
