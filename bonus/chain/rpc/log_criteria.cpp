// The size of a filter.
#include "bonus/chain/rpc/log_criteria.hpp"

namespace bonus::chain::rpc {

std::size_t criteria_bytes(const LogFilter& filter) {
  std::size_t out = filter.addresses.size() * sizeof(Address);
  for (const auto& position : filter.topics) out += sizeof(position) + position.size() * sizeof(Hash32);
  return out;
}

}  // namespace bonus::chain::rpc
