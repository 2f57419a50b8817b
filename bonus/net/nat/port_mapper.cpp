// The loop of asking and renewing.
#include "bonus/net/nat/port_mapper.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <mutex>

#include "bonus/base/log.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::seconds;
constexpr Duration kMinRenewal = seconds(30), kMaxRenewal = std::chrono::hours(12), kMaxRetry = std::chrono::hours(1);

}  // namespace

struct PortMapper::State {
  runtime::Executor executor;
  Changed changed;
  PortMapperOptions options;
  MappingRequest request;
  std::mutex mutex;
  std::optional<PortMapping> mapping;
  bool stopped = false;

  Result<PortMapping> open() {
    if (options.enter) TRY(options.enter());
    return options.open ? options.open(request) : open_port(request);
  }
  Result<> close(const PortMapping& old) {
    if (options.enter) TRY(options.enter());
    return options.close ? options.close(request, old) : close_port(request, old);
  }
  /// Keeps the result and reports a change.
  static void set(const std::shared_ptr<State>& self, std::optional<PortMapping> mapping) {
    {
      const std::lock_guard lock(self->mutex);
      const bool same = mapping.has_value() == self->mapping.has_value() &&
                        (!mapping || mapping->external == self->mapping->external);
      self->mapping = mapping;
      if (same || self->stopped) return;
    }
    boost::asio::post(self->executor, [self, mapping = std::move(mapping)] {
      {
        const std::lock_guard lock(self->mutex);
        if (self->stopped) return;
      }
      self->changed(mapping);
    });
  }

  static runtime::Task<> run(std::shared_ptr<State> self, runtime::BlockingPool& pool) {
    Duration retry = self->options.retry;
    std::string last_reason;
    while (true) {
      std::function<Result<PortMapping>()> job = [self] { return self->open(); };
      const auto result = co_await runtime::offload<PortMapping>(pool, std::move(job));
      Duration wait{};
      if (result) {
        bool fresh = false;
        {
          const std::lock_guard lock(self->mutex);
          fresh = !self->mapping || self->mapping->external != result->external;
        }
        if (fresh)
          log::info("net.portmap",
                    self->request.ipv6 ? "the router's firewall lets our port in" : "the router forwards our port",
                    {{"external", to_string(result->external)},
                     {"protocol", result->protocol},
                     {"lifetime_s", result->lifetime_s}});
        set(self, *result);
        last_reason.clear();
        retry = self->options.retry;
        // A lifetime of zero is UPnP's "for ever"; routers forget all the same when they restart.
        wait = result->lifetime_s == 0 ? self->options.lifetime / 2 : Duration(seconds(result->lifetime_s)) / 2;
        wait = std::clamp<Duration>(wait, kMinRenewal, kMaxRenewal);
      } else {
        // Most networks have no IPv6 yet: nothing to tell anybody.
        if (result.error().message != last_reason &&
            (!self->request.ipv6 || result.error().code != ErrorCode::kNotFound))
          log::info("net.portmap",
                    self->request.ipv6
                        ? "the router opens no port of IPv6"
                        : "no port could be opened at the router; peers reach us by hole punching or relays",
                    {{"reason", result.error().message}});
        last_reason = result.error().message;
        set(self, std::nullopt);
        wait = retry;
        retry = std::min(retry * 2, kMaxRetry);
      }
      if (!co_await runtime::sleep_for(wait)) co_return;
    }
  }
};

PortMapper::PortMapper(runtime::Executor executor, runtime::BlockingPool& pool, runtime::Random& random,
                       std::uint16_t port, Changed changed, PortMapperOptions options)
    : state_(std::make_shared<State>()), pool_(pool), tasks_(executor) {
  state_->executor = executor;
  state_->changed = std::move(changed);
  MappingRequest& request = state_->request;
  request.port = port;
  request.lifetime_s = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(std::chrono::duration_cast<seconds>(options.lifetime).count(), 120, 86400));
  request.timeout_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count(), 100, 10000));
  random.fill(request.nonce);
  request.pcp = options.pcp, request.nat_pmp = options.nat_pmp, request.upnp = options.upnp;
  request.ipv6 = options.ipv6;
  request.gateway = options.gateway;
  request.own = options.own;
  request.pcp_port = options.pcp_port;
  state_->options = std::move(options);
}

PortMapper::~PortMapper() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
}

void PortMapper::start() { tasks_.spawn("net.portmap", State::run(state_, pool_)); }

runtime::Task<> PortMapper::stop() {
  // Whoever loses patience destroys the mapper while a job still waits for a slow router.
  const auto state = state_;
  runtime::BlockingPool& pool = pool_;
  std::optional<PortMapping> mapping;
  tasks_.stop();
  co_await tasks_.join();
  {
    const std::lock_guard lock(state->mutex);
    state->stopped = true;
    mapping = std::exchange(state->mapping, std::nullopt);
  }
  if (!mapping) co_return;
  std::function<Result<int>()> job = [state, old = *mapping]() -> Result<int> {
    TRY(state->close(old));
    return 0;
  };
  const auto closed = co_await runtime::offload<int>(pool, std::move(job));
  if (!closed)
    log::info("net.portmap", "the router keeps our port until it expires", {{"reason", closed.error().message}});
}

}  // namespace bonus::net::nat
