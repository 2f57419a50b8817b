// JSON-RPC answers as text. Internal to this folder.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "bonus/chain/rpc/failure.hpp"

namespace bonus::chain::rpc {

[[nodiscard]] std::string error_text(const boost::json::value& id, const Failure& failure);
[[nodiscard]] std::string result_text(const boost::json::value& id, boost::json::value result);

}  // namespace bonus::chain::rpc
