// eth_call on the system contracts.
#include "bonus/cli/market_client.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/host.hpp"

namespace bonus::cli {

namespace market = chain::market;

namespace {

constexpr std::uint64_t kPage = 64;       // the most that the contract answers at once
constexpr std::uint64_t kNodePage = 256;  // INodes.list

/// Follows pages of a "newest first, ids below `before`" view.
template <class Item, class Ask>
Result<std::vector<Item>> pages(std::size_t limit, const Ask& ask) {
  std::vector<Item> out;
  std::uint64_t before = 0;
  while (out.size() < limit) {
    TRY_ASSIGN(std::vector<Item> page, ask(before, std::min<std::uint64_t>(kPage, limit - out.size())));
    if (page.empty()) break;
    const std::uint64_t oldest = page.back().id;
    if (before != 0 && oldest >= before) return fail(ErrorCode::kInvalid, "the node repeats a page of the market");
    before = oldest;
    for (auto& item : page) out.push_back(std::move(item));
    if (before <= 1) break;
  }
  return out;
}

template <class Item>
Result<Item> known(Result<Item> item, std::string_view what, std::uint64_t id) {
  if (item && item->id == 0) return fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", what, id));
  // The contract reverts for unknown ids.
  if (!item && item.error().code == ErrorCode::kConflict)
    return fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", what, id));
  return item;
}

}  // namespace

Result<Bytes> MarketClient::market(BytesView data) { return rpc_.view(chain::kMarketAddress, data); }

Result<market::Explanation> MarketClient::preflight(const market::OrderSpec& spec, const uint256& deposit,
                                                    const Address& user) {
  TRY_ASSIGN(const auto raw, rpc_.view(chain::kMarketAddress, market::encode::preflight(spec, deposit), user));
  return market::decode::explanation(raw);
}

Result<market::Offer> MarketClient::offer(std::uint64_t id) {
  auto raw = market(market::encode::get_offer(id));
  if (!raw) return known(Result<market::Offer>(std::unexpected(std::move(raw).error())), "offer", id);
  return known(market::decode::offer(*raw), "offer", id);
}

Result<market::Order> MarketClient::order(std::uint64_t id) {
  auto raw = market(market::encode::get_order(id));
  if (!raw) return known(Result<market::Order>(std::unexpected(std::move(raw).error())), "order", id);
  return known(market::decode::order(*raw), "order", id);
}

Result<market::Lease> MarketClient::lease(std::uint64_t id) {
  auto raw = market(market::encode::get_lease(id));
  if (!raw) return known(Result<market::Lease>(std::unexpected(std::move(raw).error())), "lease", id);
  return known(market::decode::lease(*raw), "lease", id);
}

Result<std::vector<market::Offer>> MarketClient::offers(std::size_t limit) {
  return pages<market::Offer>(limit, [&](auto before, auto count) -> Result<std::vector<market::Offer>> {
    TRY_ASSIGN(const auto raw, market(market::encode::offers(before, count)));
    return market::decode::offers(raw);
  });
}

Result<std::vector<market::Order>> MarketClient::orders(std::size_t limit) {
  return pages<market::Order>(limit, [&](auto before, auto count) -> Result<std::vector<market::Order>> {
    TRY_ASSIGN(const auto raw, market(market::encode::orders(before, count)));
    return market::decode::orders(raw);
  });
}

Result<std::vector<market::Lease>> MarketClient::leases(std::size_t limit) {
  return pages<market::Lease>(limit, [&](auto before, auto count) -> Result<std::vector<market::Lease>> {
    TRY_ASSIGN(const auto raw, market(market::encode::leases(before, count)));
    return market::decode::leases(raw);
  });
}

Result<std::vector<market::Order>> MarketClient::orders_of(const Address& user, std::size_t limit) {
  return pages<market::Order>(limit, [&](auto before, auto count) -> Result<std::vector<market::Order>> {
    TRY_ASSIGN(const auto raw, market(market::encode::orders_of(user, before, count)));
    return market::decode::orders(raw);
  });
}

Result<std::vector<market::Lease>> MarketClient::leases_of(std::uint64_t order) {
  TRY_ASSIGN(const auto raw, market(market::encode::leases_of_order(order)));
  return market::decode::leases(raw);
}

Result<std::vector<market::Offer>> MarketClient::offers_of(const Address& worker) {
  TRY_ASSIGN(const auto raw, market(market::encode::offers_of(worker)));
  return market::decode::offers(raw);
}

Result<market::decode::Split> MarketClient::accrued(std::uint64_t lease) {
  TRY_ASSIGN(const auto raw, market(market::encode::accrued(lease)));
  return market::decode::split(raw);
}

Result<std::uint64_t> MarketClient::seconds_left(std::uint64_t order) {
  TRY_ASSIGN(const auto raw, market(market::encode::seconds_left(order)));
  TRY_ASSIGN(const auto number, market::decode::number(raw));
  return number.clamp_u64();
}

Result<std::vector<market::Node>> MarketClient::nodes(std::size_t limit) {
  std::vector<market::Node> out;
  while (out.size() < limit) {
    TRY_ASSIGN(const auto raw, rpc_.view(chain::kNodesAddress, market::encode::list_nodes(out.size(), kNodePage)));
    TRY_ASSIGN(auto page, market::decode::nodes(raw));
    for (auto& node : page) out.push_back(std::move(node));
    if (page.size() < kNodePage) break;
  }
  return out;
}

}  // namespace bonus::cli
