// Any JSON as the arguments of eth_subscribe and of filters: what is accepted is within the bounds of its reader, and
// matching a log against it never fails.
#include <boost/json/parse.hpp>
#include <cstdlib>

#include "bonus/chain/rpc/log_criteria.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"

namespace {

using namespace bonus;  // NOLINT: a fuzz target
namespace rpc = chain::rpc;

constexpr std::size_t kMostCriteria = 1000 * 20 + 4 * (sizeof(std::vector<Hash32>) + 1000 * 32);

class Checker final : public rpc::Subscriber {
 public:
  rpc::Reply<std::string> subscribe(rpc::SubscriptionRequest request) override {
    if (rpc::criteria_bytes(request.logs) > kMostCriteria) std::abort();
    if (request.topic != rpc::Topic::kLogs && rpc::criteria_bytes(request.logs) != 0) std::abort();
    for (std::size_t topics = 0; topics <= 4; ++topics) {
      chain::Log log{chain::kMarketAddress, std::vector<Hash32>(topics), {}};
      if (chain::matches(request.logs, log) && request.logs.topics.size() > topics) std::abort();
    }
    return std::string("0x1");
  }
  bool unsubscribe(std::string_view id) override { return id == "0x1"; }
};

struct World {
  World() : ledger(chain::Genesis()), mempool(ledger) {}
  chain::testing::FakeLedger ledger;
  chain::testing::FakeMempool mempool;
  rpc::RpcOptions options;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  boost::system::error_code error;
  const auto parsed = boost::json::parse(std::string_view(reinterpret_cast<const char*>(data), size), error);
  const auto* list = error ? nullptr : parsed.if_array();
  if (list == nullptr) return 0;
  Checker checker;
  rpc::Context context{world.ledger, world.mempool, world.options};
  context.subscriber = &checker;
  for (const auto& [name, method] : rpc::subscription_methods()) {
    const auto reply = method(context, rpc::Params(*list));
    if (!reply && reply.error().code == 0) std::abort();
  }
  return 0;
}
