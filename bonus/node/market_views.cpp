// View calls of the system contracts.
#include "bonus/node/market_views.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/host.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::node {

namespace market = chain::market;

namespace {
constexpr std::size_t kMaxNodes = 4096;
constexpr std::uint64_t kNodesPerCall = 256;  // bound of INodes.list
}  // namespace

Result<Bytes> MarketViews::view(const Address& contract, Bytes data, std::uint64_t block) const {
  chain::CallRequest request;
  request.to = contract;
  request.data = std::move(data);
  TRY_ASSIGN(auto reply, ledger_.call(request, block));
  if (!reply.success) {
    const std::string reason = abi::decode_revert(reply.output);
    return fail(ErrorCode::kNotFound, reason.empty() ? "the view of a system contract failed" : reason);
  }
  return std::move(reply.output);
}

Result<market::Node> MarketViews::node_of(const Address& account, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kNodesAddress, market::encode::node_of(account), block));
  return market::decode::node(data);
}

Result<std::vector<market::Node>> MarketViews::nodes(std::uint64_t block) const {
  std::vector<market::Node> out;
  while (out.size() < kMaxNodes) {
    TRY_ASSIGN(const auto data,
               view(chain::kNodesAddress, market::encode::list_nodes(out.size(), kNodesPerCall), block));
    TRY_ASSIGN(auto some, market::decode::nodes(data));
    const bool last = some.size() < kNodesPerCall;
    out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    if (last) break;
  }
  return out;
}

Result<std::vector<market::Offer>> MarketViews::offers_of(const Address& worker, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kMarketAddress, market::encode::offers_of(worker), block));
  return market::decode::offers(data);
}

Result<std::vector<market::Lease>> MarketViews::live_leases_of(const Address& worker, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kMarketAddress, market::encode::live_leases_of(worker), block));
  return market::decode::leases(data);
}

Result<std::vector<market::Lease>> MarketViews::leases_of_order(std::uint64_t order, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kMarketAddress, market::encode::leases_of_order(order), block));
  return market::decode::leases(data);
}

Result<market::Order> MarketViews::order(std::uint64_t id, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kMarketAddress, market::encode::get_order(id), block));
  TRY_ASSIGN(auto out, market::decode::order(data));
  if (out.state == market::OrderState::kNone)
    return fail(ErrorCode::kNotFound, fmt::format("there is no order {}", id));
  return out;
}

Result<market::Lease> MarketViews::lease(std::uint64_t id, std::uint64_t block) const {
  TRY_ASSIGN(const auto data, view(chain::kMarketAddress, market::encode::get_lease(id), block));
  TRY_ASSIGN(auto out, market::decode::lease(data));
  if (out.state == market::LeaseState::kNone)
    return fail(ErrorCode::kNotFound, fmt::format("there is no lease {}", id));
  return out;
}

}  // namespace bonus::node
