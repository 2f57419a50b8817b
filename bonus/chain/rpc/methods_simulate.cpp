// eth_simulateV1.
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {

std::span<const NamedMethod> simulate_methods() { return {}; }

}  // namespace bonus::chain::rpc
