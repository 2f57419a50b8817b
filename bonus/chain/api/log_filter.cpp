// Matching of logs.
#include <algorithm>

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain {

bool matches(const LogFilter& filter, const Log& log) {
  const auto one_of = [](const auto& wanted, const auto& value) {
    return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
  };
  if (!one_of(filter.addresses, log.address) || filter.topics.size() > log.topics.size()) return false;
  for (std::size_t i = 0; i < filter.topics.size(); ++i)
    if (!one_of(filter.topics[i], log.topics[i])) return false;
  return true;
}

}  // namespace bonus::chain
