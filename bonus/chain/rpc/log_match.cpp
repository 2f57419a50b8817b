// Matching of logs as eth_getLogs defines it (execution-apis, Filter).
#include "bonus/chain/rpc/log_match.hpp"

#include <algorithm>

namespace bonus::chain::rpc {

bool matches(const LogFilter& filter, const Log& log) {
  if (!filter.addresses.empty() && std::ranges::find(filter.addresses, log.address) == filter.addresses.end())
    return false;
  if (filter.topics.size() > log.topics.size()) return false;
  for (std::size_t i = 0; i < filter.topics.size(); ++i) {
    const auto& any = filter.topics[i];
    if (!any.empty() && std::ranges::find(any, log.topics[i]) == any.end()) return false;
  }
  return true;
}

std::size_t criteria_bytes(const LogFilter& filter) {
  std::size_t out = filter.addresses.size() * sizeof(Address);
  for (const auto& position : filter.topics) out += sizeof(position) + position.size() * sizeof(Hash32);
  return out;
}

}  // namespace bonus::chain::rpc
