// Listeners of published ports.
#include "bonus/node/publisher.hpp"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "bonus/base/log.hpp"
#include "bonus/node/tcp_listener.hpp"

namespace bonus::node {

using runtime::ByteStream;
using runtime::Task;

namespace {
constexpr const char* kAddress = "127.0.0.1";
constexpr std::size_t kMaxConnections = 512;  // of one port
constexpr int kAttempts = 60;                 // to find a replica that answers, for one connection
constexpr Duration kPause = std::chrono::milliseconds(500);
}  // namespace

struct Publisher::Impl : std::enable_shared_from_this<Publisher::Impl> {
  Impl(runtime::Executor e, RouteTable& r, LeaseDirectory& d, const MarketViews& v, Metrics& m, InMachine i)
      : executor(std::move(e)),
        in_machine(std::move(i)),
        routes(r),
        directory(d),
        views(v),
        connections(m.counter("bonus_node_published_connections_total", "Connections to published ports")),
        unanswered(m.counter("bonus_node_published_failures_total", "Connections for which no replica answered")) {}

  runtime::Executor executor;
  InMachine in_machine;
  RouteTable& routes;
  LeaseDirectory& directory;
  const MarketViews& views;
  Metrics::Counter& connections;
  Metrics::Counter& unanswered;
  std::mutex mutex;
  using Key = std::pair<std::string, std::uint16_t>;      // route and listen port
  std::map<Key, std::shared_ptr<TcpListener>> listeners;  // guarded by mutex; shared with a join() under way
  bool stopped = false;                                   // guarded by mutex

  static Task<> serve(std::shared_ptr<Impl> self, std::uint64_t order, std::uint16_t port,
                      std::unique_ptr<ByteStream> stream) {
    self->connections.add();
    // While the order is being matched again the connection waits instead of failing.
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      auto target = self->directory.resolve_order(order);
      if (!target || target->state == net::LeaseState::kEnded) break;
      if (target->state == net::LeaseState::kRunning) {
        auto dialing = self->directory.dial(*target, port);
        auto far = co_await std::move(dialing);
        if (far) {
          auto task = runtime::splice(std::move(stream), *std::move(far));
          co_await std::move(task);
          co_return;
        }
        log::debug("node", "replica_unreachable", {{"lease", target->lease}, {"error", far.error().message}});
      }
      auto pause = runtime::sleep_for(kPause);
      if (!co_await std::move(pause)) co_return;
    }
    self->unanswered.add();
    stream->close();
  }

  Result<std::uint16_t> open(const Route& route, const PublishedPort& entry) {
    auto handler = [self = shared_from_this(), order = route.order, port = entry.port](
                       std::unique_ptr<ByteStream> stream) { return serve(self, order, port, std::move(stream)); };
    std::shared_ptr<TcpListener> listener;
    const auto listen = [&]() -> Result<> {
      TRY_ASSIGN(listener, TcpListener::open(executor, kAddress, entry.listen, kMaxConnections, std::move(handler)));
      return {};
    };
    TRY(in_machine ? in_machine(listen) : listen());
    const std::uint16_t port = listener->port();
    const std::scoped_lock lock(mutex);
    if (stopped) return fail(ErrorCode::kCancelled, "the node is stopping");
    listeners[{route.name, port}] = std::move(listener);
    return port;
  }
  bool is_open(const std::string& name, std::uint16_t port) {
    const std::scoped_lock lock(mutex);
    return listeners.contains({name, port});
  }
  Task<> close(std::string name) {
    std::vector<std::shared_ptr<TcpListener>> gone;
    {
      const std::scoped_lock lock(mutex);
      for (auto it = listeners.begin(); it != listeners.end();) {
        if (it->first.first == name) {
          gone.push_back(std::move(it->second));
          it = listeners.erase(it);
        } else {
          ++it;
        }
      }
    }
    for (const auto& listener : gone) {
      listener->stop();
      auto joining = listener->join();
      co_await std::move(joining);
    }
  }
  void open_missing() {
    for (const auto& route : routes.all())
      for (const auto& entry : route.publish) {
        if (is_open(route.name, entry.listen)) continue;
        if (auto opened = open(route, entry); !opened)
          log::warn("node", "port_not_published", {{"route", route.name}, {"error", opened.error().message}});
      }
  }
};

Publisher::Publisher(runtime::Executor executor, RouteTable& routes, LeaseDirectory& directory,
                     const MarketViews& views, Metrics& metrics, InMachine in_machine)
    : impl_(std::make_shared<Impl>(std::move(executor), routes, directory, views, metrics, std::move(in_machine))) {}
Publisher::~Publisher() {
  const std::scoped_lock lock(impl_->mutex);
  impl_->stopped = true;
  impl_->listeners.clear();
}

void Publisher::start() { impl_->open_missing(); }

Task<Result<Route>> Publisher::publish(Route route) {
  auto impl = impl_;
  const auto old = impl->routes.find(route.name);
  if (old && old->user != route.user)
    co_return fail(ErrorCode::kExists, fmt::format("the name \"{}\" is taken on this node", route.name));
  auto closing = impl->close(route.name);
  co_await std::move(closing);
  Result<> done;
  for (auto& entry : route.publish) {
    auto opened = impl->open(route, entry);
    if (!opened) {
      done = fail(std::move(opened).error());
      break;
    }
    entry.listen = *opened;
  }
  if (done) done = impl->routes.put(route);
  if (!done) {
    auto undoing = impl->close(route.name);
    co_await std::move(undoing);
    impl->open_missing();  // the route that was there before
    co_return fail(std::move(done).error());
  }
  co_return route;
}

Task<Result<>> Publisher::remove(std::string name) {
  auto impl = impl_;
  auto erased = impl->routes.erase(name);
  auto closing = impl->close(std::move(name));
  co_await std::move(closing);
  co_return erased;
}

Task<> Publisher::sweep() {
  auto impl = impl_;
  for (const auto& route : impl->routes.all()) {
    const auto order = impl->views.order(route.order, impl->views.head());
    if (!order || order->state != chain::market::OrderState::kClosed) continue;
    log::info("node", "route_ended", {{"name", route.name}, {"order", route.order}});
    auto removing = remove(route.name);
    std::ignore = co_await std::move(removing);
  }
  impl->open_missing();
}

Task<> Publisher::stop() {
  auto impl = impl_;
  {
    const std::scoped_lock lock(impl->mutex);
    impl->stopped = true;
  }
  for (const auto& route : impl->routes.all()) {
    auto closing = impl->close(route.name);
    co_await std::move(closing);
  }
}

}  // namespace bonus::node
