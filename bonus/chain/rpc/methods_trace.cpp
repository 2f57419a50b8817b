// debug_trace*.
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {

std::span<const NamedMethod> trace_methods() { return {}; }

}  // namespace bonus::chain::rpc
