// JSON-RPC methods that only a chain under Ethereum's rules has: the `testing` namespace of execution-apis.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "bonus/chain/eth/ledger.hpp"

namespace bonus::chain::eth {

/// For RpcOptions::extra_methods. Borrows both.
///
/// testing_buildBlockV1(parentHash, payloadAttributes, transactions or null, extraData or null): the block that these
/// transactions (null: those of the mempool) make on that parent, as engine_getPayloadV5 shows it. Changes nothing.
[[nodiscard]] std::map<std::string, std::function<Result<std::string>(std::string_view params)>, std::less<>>
testing_methods(const EthLedger& ledger, const Mempool& mempool);

}  // namespace bonus::chain::eth
