// Choosing a replica.
#include "bonus/node/lease_directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>

namespace bonus::node {

namespace market = chain::market;
using runtime::Task;

namespace {

constexpr std::size_t kMaxCached = 4096;
constexpr Duration kDownFor = std::chrono::seconds(5);

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

net::LeaseState state_of(market::LeaseState state) {
  if (state == market::LeaseState::kRunning) return net::LeaseState::kRunning;
  return state == market::LeaseState::kStarting ? net::LeaseState::kStarting : net::LeaseState::kEnded;
}

std::string ending_of(const market::Lease& lease) {
  std::string out(market::to_string(lease.reason));
  if (!lease.detail.empty()) out += ": " + lease.detail;
  return out;
}

net::LeaseTarget target_of(const market::Lease& lease) {
  net::LeaseTarget out;
  out.lease = lease.id;
  out.state = state_of(lease.state);
  out.worker = lease.node_id;
  if (!lease.ports.empty()) out.default_port = lease.ports.front();
  if (out.state == net::LeaseState::kStarting) out.reason = "the worker is starting the container";
  if (out.state == net::LeaseState::kEnded) out.reason = ending_of(lease);
  return out;
}

}  // namespace

struct LeaseDirectory::Impl {
  Impl(const MarketViews& v, const RouteTable& r, LeaseClient& c, const runtime::Clock& k)
      : views(v), routes(r), client(c), clock(k) {}

  struct OrderView {
    market::Order order;
    std::vector<market::Lease> leases;  // in order of their ids
  };

  const MarketViews& views;
  const RouteTable& routes;
  LeaseClient& client;
  const runtime::Clock& clock;

  std::mutex mutex;
  std::uint64_t head = UINT64_MAX;  // guarded by mutex, as all below
  std::map<std::uint64_t, std::shared_ptr<const OrderView>> orders;
  std::map<std::uint64_t, market::Lease> leases;
  std::map<std::uint64_t, Instant> down;         // lease -> until when it comes last
  std::map<std::uint64_t, std::uint64_t> turns;  // order -> next replica

  void refresh(std::uint64_t now_head) {
    if (head == now_head) return;
    head = now_head;
    orders.clear();
    leases.clear();
  }
  Result<std::shared_ptr<const OrderView>> order(std::uint64_t id) {
    const std::uint64_t at = views.head();
    {
      const std::scoped_lock lock(mutex);
      refresh(at);
      if (const auto found = orders.find(id); found != orders.end()) return found->second;
    }
    auto view = std::make_shared<OrderView>();
    TRY_ASSIGN(view->order, views.order(id, at));
    TRY_ASSIGN(view->leases, views.leases_of_order(id, at));
    std::ranges::sort(view->leases, {}, &market::Lease::id);
    std::shared_ptr<const OrderView> out = std::move(view);  // shared with concurrent readers of the cache
    const std::scoped_lock lock(mutex);
    if (head == at && orders.size() < kMaxCached) orders[id] = out;
    return out;
  }
  Result<market::Lease> lease(std::uint64_t id) {
    const std::uint64_t at = views.head();
    {
      const std::scoped_lock lock(mutex);
      refresh(at);
      if (const auto found = leases.find(id); found != leases.end()) return found->second;
    }
    TRY_ASSIGN(auto out, views.lease(id, at));
    const std::scoped_lock lock(mutex);
    if (head == at && leases.size() < kMaxCached) leases[id] = out;
    return out;
  }
  /// The running replica whose turn it is.
  const market::Lease* choose(std::uint64_t order_id, const OrderView& view) {
    std::vector<const market::Lease*> running;
    for (const auto& lease : view.leases)
      if (lease.state == market::LeaseState::kRunning) running.push_back(&lease);
    if (running.empty()) return nullptr;
    const Instant now = clock.now();
    const std::scoped_lock lock(mutex);
    std::erase_if(down, [&](const auto& entry) { return entry.second <= now; });
    if (turns.size() > kMaxCached) turns.clear();
    const std::uint64_t turn = turns[order_id]++;
    for (std::size_t i = 0; i < running.size(); ++i) {
      const auto* candidate = running[static_cast<std::size_t>((turn + i) % running.size())];
      if (!down.contains(candidate->id)) return candidate;
    }
    return running[static_cast<std::size_t>(turn % running.size())];
  }
};

LeaseDirectory::LeaseDirectory(const MarketViews& views, const RouteTable& routes, LeaseClient& client,
                               const runtime::Clock& clock)
    : impl_(std::make_unique<Impl>(views, routes, client, clock)) {}
LeaseDirectory::~LeaseDirectory() = default;

Result<net::LeaseTarget> LeaseDirectory::resolve_order(std::uint64_t order) {
  TRY_ASSIGN(const auto view, impl_->order(order));
  if (const auto* chosen = impl_->choose(order, *view)) return target_of(*chosen);
  net::LeaseTarget out;
  const auto starting = std::ranges::find(view->leases, market::LeaseState::kStarting, &market::Lease::state);
  if (starting != view->leases.end()) return target_of(*starting);
  if (view->order.state == market::OrderState::kClosed) {
    out.state = net::LeaseState::kEnded;
    out.reason = view->leases.empty() ? "the order is closed" : ending_of(view->leases.back());
    if (!view->leases.empty()) out.lease = view->leases.back().id;
    return out;
  }
  out.state = net::LeaseState::kStarting;
  out.reason = view->order.explanation.empty() ? "waiting for a worker" : view->order.explanation;
  return out;
}

Result<net::LeaseTarget> LeaseDirectory::resolve(const std::string& name) {
  std::string_view text = name;
  constexpr std::string_view kOrder = "order-", kLease = "lease-";
  if (text.starts_with(kOrder)) {
    if (const auto id = number_of(text.substr(kOrder.size()))) return resolve_order(*id);
  }
  if (text.starts_with(kLease)) text.remove_prefix(kLease.size());
  if (const auto id = number_of(text)) {
    TRY_ASSIGN(const auto lease, impl_->lease(*id));
    return target_of(lease);
  }
  const auto route = impl_->routes.find(name);
  if (!route) return fail(ErrorCode::kNotFound, fmt::format("nothing is published as \"{}\" on this gateway", name));
  TRY_ASSIGN(auto out, resolve_order(route->order));
  out.name = name;
  if (!route->publish.empty()) out.default_port = route->publish.front().port;
  return out;
}

Task<Result<net::LeaseTarget>> LeaseDirectory::find(std::string name) { co_return resolve(name); }

Task<Result<std::unique_ptr<runtime::ByteStream>>> LeaseDirectory::dial(net::LeaseTarget target, std::uint16_t port) {
  LeaseRequest request;
  request.lease = target.lease;
  request.port = port;
  auto opening = impl_->client.open(target.worker, LeaseService::kConnect, std::move(request));
  auto stream = co_await std::move(opening);
  const std::scoped_lock lock(impl_->mutex);
  if (stream) {
    impl_->down.erase(target.lease);
  } else {
    impl_->down[target.lease] = impl_->clock.now() + kDownFor;
  }
  co_return stream;
}

}  // namespace bonus::node
