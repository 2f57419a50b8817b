// Calls and events of the system contracts in words.
#pragma once

#include <optional>
#include <string>

#include "bonus/chain/api/types.hpp"

namespace bonus::cli {

struct DecodedCall {
  std::string contract;   ///< "Market", "Nodes", "Names".
  std::string name;       ///< "topUp".
  std::string arguments;  ///< "7, [1, 2]".
  std::string text;       ///< "topUp(7)".
};
/// Nothing for other contracts, unknown functions and malformed data.
[[nodiscard]] std::optional<DecodedCall> decode_call(const Address& to, BytesView data);

struct DecodedEvent {
  std::string contract, name, parameters, text;
};
[[nodiscard]] std::optional<DecodedEvent> decode_event(const chain::Log& log);

}  // namespace bonus::cli
