// Any bytes as a JSON-RPC request: an answer or nothing, never a crash, always JSON.
#include <boost/json/parse.hpp>
#include <cstdlib>

#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"

namespace {

struct World {
  World() : ledger(genesis()), mempool(ledger), service(ledger, mempool) {
    bonus::chain::Receipt receipt;
    receipt.success = true;
    receipt.gas_used = 21'000;
    receipt.logs.push_back({bonus::chain::kMarketAddress, {bonus::Hash32{}}, bonus::Bytes{1}});
    auto tx = std::make_shared<bonus::chain::SenderTransaction>();
    tx->tx.to = bonus::chain::kMarketAddress;
    ledger.add_block({tx}, {receipt}, bonus::uint256(1));
  }
  static bonus::chain::Genesis genesis() {
    bonus::chain::Genesis out;
    out.chain_id = 7;
    return out;
  }
  bonus::chain::testing::FakeLedger ledger;
  bonus::chain::testing::FakeMempool mempool;
  bonus::chain::rpc::RpcService service;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  const auto out = world.service.dispatch({reinterpret_cast<const char*>(data), size});
  boost::system::error_code error;
  if (!out.empty()) {
    const auto parsed = boost::json::parse(out, error);
    if (error) std::abort();
  }
  return 0;
}
