// The DNS server with its sockets.
#include "bonus/net/dns/server.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "bonus/base/log.hpp"
#include "bonus/net/dns/shell.hpp"

namespace bonus::net::dns {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxListen = 16;

Result<> check(const ServerConfig& config) {
  if (config.listen.empty() || config.listen.size() > kMaxListen)
    return fail(ErrorCode::kInvalid, fmt::format("a DNS server listens on 1 to {} addresses", kMaxListen));
  if (config.core.upstreams.size() > 8 || config.core.zones.size() > 32)
    return fail(ErrorCode::kInvalid, "at most 8 DNS upstreams and 32 forwarded zones may be configured");
  if (config.max_connections == 0) return fail(ErrorCode::kInvalid, "DNS over TCP needs at least one connection");
  return {};
}

}  // namespace

struct Server::Impl final : public Shell {
  Impl(const runtime::Executor& executor_of_all, ServerConfig given, NameSource& name_source, Upstream& sockets,
       runtime::Clock& c, runtime::Random& random)
      : config(std::move(given)),
        names(name_source),
        upstream(sockets),
        clock(c),
        core(config.core, random),
        timer(asio::make_strand(executor_of_all)) {
    executor = timer.get_executor();
  }

  std::shared_ptr<Impl> self() { return std::static_pointer_cast<Impl>(shared_from_this()); }

  /// The UDP and the TCP socket of an address share a port; with port 0 the kernel's choice for one may be taken for
  /// the other.
  Result<> listen(const UdpEndpoint& wanted) {
    constexpr int kTries = 16;
    for (int i = 0;; ++i) {
      TRY_ASSIGN(Fd datagrams, bind_socket(wanted, false));
      TRY_ASSIGN(const UdpEndpoint bound, local_endpoint(datagrams.get()));
      auto stream = bind_socket(bound, true);
      if (!stream && wanted.port == 0 && i < kTries) continue;
      if (!stream) return fail(std::move(stream).error());
      const auto number = static_cast<std::uint16_t>(udp.size());
      udp.push_back(std::make_shared<UdpListener>(shared_from_this(), std::move(datagrams), number));
      tcp.push_back(std::make_shared<TcpAcceptor>(shared_from_this(), *std::move(stream)));
      bound_to.push_back(bound);
      return {};
    }
  }

  void start() {
    const std::lock_guard lock(mutex);
    for (const auto& listener : udp) listener->start();
    for (const auto& acceptor : tcp) acceptor->start();
  }

  void stop() {
    const std::lock_guard lock(mutex);
    if (std::exchange(stopped, true)) return;
    for (const auto& listener : udp) listener->close();
    for (const auto& acceptor : tcp) acceptor->close();
    for (const auto& [id, connection] : connections) connection->close();
    for (const auto& [id, exchange] : exchanges) exchange->close();
    udp.clear();
    tcp.clear();
    connections.clear();
    exchanges.clear();
    timer.cancel();
  }

  // --- Shell; the mutex is held ---

  void on_query(const Client& client, BytesView message) override {
    if (client.stream) {
      if (const auto it = connections.find(client.token); it != connections.end()) it->second->touch(++tick);
    }
    Actions actions;
    core.on_query(client, message, clock.now(), actions);
    perform(std::move(actions));
  }

  void on_accepted(Fd fd, const UdpEndpoint& peer) override {
    std::size_t same = 0;
    auto oldest = connections.end();
    for (auto it = connections.begin(); it != connections.end(); ++it) {
      if (it->second->peer() == peer.address) ++same;
      if (oldest == connections.end() || it->second->last_use() < oldest->second->last_use()) oldest = it;
    }
    if (same >= config.max_connections_per_source) return;  // closed with `fd`
    if (connections.size() >= config.max_connections) {
      oldest->second->close();
      connections.erase(oldest);
    }
    const std::uint64_t id = next_connection++;
    auto connection =
        std::make_shared<TcpConnection>(shared_from_this(), std::move(fd), id, peer.address, config.idle_timeout);
    connection->touch(++tick);
    connections.emplace(id, connection);
    connection->start();
  }

  void on_connection_closed(std::uint64_t id) override { connections.erase(id); }

  void on_exchange_message(std::uint64_t id, BytesView message) override {
    Actions actions;
    core.on_message(id, message, clock.now(), actions);
    perform(std::move(actions));
  }

  void on_exchange_failed(std::uint64_t id) override {
    exchanges.erase(id);
    Actions actions;
    core.on_failure(id, clock.now(), actions);
    perform(std::move(actions));
  }

  // --- actions ---

  void perform(Actions actions) {
    for (Action& action : actions) {
      if (auto* reply = std::get_if<Reply>(&action)) {
        deliver(*reply);
      } else if (auto* lookup = std::get_if<Lookup>(&action)) {
        look_up(*lookup);
      } else if (auto* open = std::get_if<OpenExchange>(&action)) {
        open_exchange(std::move(*open));
      } else if (const auto* close = std::get_if<CloseExchange>(&action)) {
        close_exchange(close->id);
      }
    }
    arm();
  }

  void deliver(const Reply& reply) {
    if (!reply.client.stream) {
      const std::size_t number = listener_of(reply.client);
      if (number < udp.size()) udp[number]->send(reply.client, reply.message);
      return;
    }
    const auto it = connections.find(reply.client.token);
    if (it == connections.end()) return;
    const std::shared_ptr<TcpConnection> connection = it->second;  // it may end while it sends
    connection->send(reply.message);
  }

  /// What others call at any time on any thread comes back over the strand.
  template <class Handle>
  static void come_back(const std::weak_ptr<Impl>& weak, Handle handle) {
    const auto impl = weak.lock();
    if (!impl) return;
    asio::post(impl->executor, [impl, handle = std::move(handle)]() mutable {
      const std::lock_guard lock(impl->mutex);
      if (!impl->stopped) handle(*impl);
    });
  }

  void look_up(const Lookup& lookup) {
    const std::weak_ptr<Impl> weak = self();
    const std::uint64_t id = lookup.id;
    const auto zone_done = [weak, id](Result<NameZone> zone) {
      come_back(weak, [id, zone = std::move(zone)](Impl& impl) mutable {
        Actions actions;
        impl.core.on_zone(id, std::move(zone), impl.clock.now(), actions);
        impl.perform(std::move(actions));
      });
    };
    switch (lookup.kind) {
      case Lookup::Kind::kRegistered:
        return names.registered(lookup.label, zone_done);
      case Lookup::Kind::kLeaseById:
        return names.lease_by_id(lookup.lease, zone_done);
      case Lookup::Kind::kLeaseByName:
        return names.lease_by_name(lookup.label, zone_done);
      case Lookup::Kind::kReverse:
        return names.reverse(lookup.address, [weak, id](Result<std::vector<std::string>> found) {
          come_back(weak, [id, found = std::move(found)](Impl& impl) mutable {
            Actions actions;
            impl.core.on_names(id, std::move(found), impl.clock.now(), actions);
            impl.perform(std::move(actions));
          });
        });
    }
  }

  void open_exchange(OpenExchange open) {
    const std::weak_ptr<Impl> weak = self();
    const std::uint64_t id = open.id;
    exchanges.emplace(id, std::make_shared<Exchange>(shared_from_this(), id, open.stream, std::move(open.message)));
    upstream.connect(open.server, open.stream, [weak, id](Result<int> fd) {
      // Shared, so that a descriptor that nobody wants any more is closed.
      auto owned = std::make_shared<Fd>(fd ? Fd(*fd) : Fd());
      come_back(weak, [id, owned](Impl& impl) {
        const auto it = impl.exchanges.find(id);
        if (it == impl.exchanges.end()) return;
        const std::shared_ptr<Exchange> exchange = it->second;
        if (*owned) {
          exchange->adopt(owned->release());
        } else {
          exchange->close();
          impl.on_exchange_failed(id);
        }
      });
    });
  }

  void close_exchange(std::uint64_t id) {
    const auto it = exchanges.find(id);
    if (it == exchanges.end()) return;
    it->second->close();
    exchanges.erase(it);
  }

  void arm() {
    const auto next = core.next_timer();
    if (next == armed) return;
    armed = next;
    if (!next) {
      timer.cancel();
      return;
    }
    timer.expires_after(std::max(Duration::zero(), *next - clock.now()));
    timer.async_wait([impl = self()](const ErrorOf& error) {
      if (error) return;
      const std::lock_guard lock(impl->mutex);
      if (impl->stopped) return;
      impl->armed.reset();
      Actions actions;
      impl->core.on_timer(impl->clock.now(), actions);
      impl->perform(std::move(actions));
    });
  }

  ServerConfig config;
  NameSource& names;
  Upstream& upstream;
  runtime::Clock& clock;
  Core core;
  asio::steady_timer timer;
  std::optional<Instant> armed;
  std::vector<std::shared_ptr<UdpListener>> udp;
  std::vector<std::shared_ptr<TcpAcceptor>> tcp;
  std::vector<UdpEndpoint> bound_to;
  std::map<std::uint64_t, std::shared_ptr<TcpConnection>> connections;  // shared with their handlers
  std::unordered_map<std::uint64_t, std::shared_ptr<Exchange>> exchanges;
  std::uint64_t next_connection = 1, tick = 0;
};

Result<std::unique_ptr<Server>> Server::start(runtime::Executor executor, ServerConfig config, NameSource& names,
                                              Upstream& upstream, runtime::Clock& clock, runtime::Random& random) {
  if (auto ok = check(config); !ok) return fail(std::move(ok).error());
  auto impl = std::make_shared<Impl>(executor, std::move(config), names, upstream, clock, random);
  for (const UdpEndpoint& endpoint : impl->config.listen) {
    if (auto bound = impl->listen(endpoint); !bound) {
      impl->stop();
      return fail(std::move(bound).error());
    }
  }
  impl->start();
  for (const UdpEndpoint& endpoint : impl->bound_to) log::info("dns", "listening", {{"address", to_string(endpoint)}});
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }

const std::vector<UdpEndpoint>& Server::addresses() const { return impl_->bound_to; }

Counters Server::counters() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->core.counters();
}

void Server::set_upstreams(std::vector<UdpEndpoint> upstreams) {
  const std::lock_guard lock(impl_->mutex);
  impl_->core.set_upstreams(std::move(upstreams));
}

void Server::forget(std::string label) {
  const std::lock_guard lock(impl_->mutex);
  impl_->core.forget(label);
}

void Server::clear_cache() {
  const std::lock_guard lock(impl_->mutex);
  impl_->core.clear_cache();
}

void Server::stop() { impl_->stop(); }

}  // namespace bonus::net::dns
