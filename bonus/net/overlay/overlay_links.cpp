// Links to relays over TLS for networks that block UDP, and the port that the home router opens.
#include <boost/asio/post.hpp>

#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(8);

/// Connects outside by the helper and continues on the strand.
runtime::Task<> connect_outside(host::Helper& helper, UdpEndpoint to, Strand strand,
                                std::function<void(Result<int>)> done) {
  auto connecting = helper.connect_tcp(host::Purpose::kUnderlay, to_string(to.address), to.port, kConnectTimeout);
  auto socket = co_await std::move(connecting);
  auto result = std::make_shared<Result<int>>(-1);
  if (socket) {
    *result = socket->release();
  } else {
    *result = fail(std::move(socket).error());
  }
  boost::asio::post(strand, [done = std::move(done), result] { done(std::move(*result)); });
}

}  // namespace

Result<> Overlay::Impl::open_links() {
  nat::TlsLinks::Events events;
  const std::weak_ptr<Impl> weak = weak_from_this();
  events.up = [weak](const PathEndpoint& link, const Ed25519PublicKey& key, bool wanted) {
    const auto impl = weak.lock();
    if (!impl || impl->stopped || !wanted) return;
    // Which relay it is, its root key tells.
    const auto* known = impl->book.find(crypto::node_id(key));
    if (known == nullptr) return;
    nat::Actions actions;
    impl->paths->link_up(known->record.tunnel.key, link, key, impl->now(), actions);
    impl->carry_out(actions);
    impl->arm();
  };
  events.down = [weak](const PathEndpoint& link) {
    const auto impl = weak.lock();
    if (!impl || impl->stopped) return;
    nat::Actions actions;
    impl->paths->link_down(link.via, impl->now(), actions);
    impl->carry_out(actions);
    impl->arm();
  };
  events.datagram = [weak](const PathEndpoint& link, BytesView datagram) {
    if (const auto impl = weak.lock(); impl && !impl->stopped)
      impl->handle(link, Bytes(datagram.begin(), datagram.end()));
  };
  nat::TlsLinkOptions link_options;
  if (parts.helper != nullptr) {
    link_options.connect = [weak](const UdpEndpoint& to, std::function<void(Result<int>)> done) {
      if (const auto impl = weak.lock())
        impl->tasks->spawn("tls link", connect_outside(*impl->parts.helper, to, impl->strand, std::move(done)));
    };
  }
  links = std::make_unique<nat::TlsLinks>(strand, root, parts.random, std::move(events), std::move(link_options));
  if (!options.tls_listen) return {};
  if (!parts.outside)
    return fail(ErrorCode::kUnsupported, "net.tls_listen: a node without privileges cannot listen for TLS");
  return parts.outside([this]() -> Result<> {
    auto bound = links->listen(*options.tls_listen);
    if (!bound) return fail(std::move(bound).error().wrap("net.tls_listen"));
    return {};
  });
}

void Overlay::Impl::on_mapping(const std::optional<nat::PortMapping>& mapping) {
  nat::Actions actions;
  if (mapped) paths->remove_mapping(*mapped, actions);
  mapped.reset();
  if (mapping) {
    mapped = mapping->external;
    paths->add_mapping(*mapped, actions);
    log::info("net", "port_mapped", {{"external", to_string(*mapped)}, {"protocol", mapping->protocol}});
  }
  carry_out(actions);
  record_stale = true;
  arm();
}

void Overlay::Impl::start_mapper() {
  nat::PortMapperOptions mapper_options;
  const auto outside = parts.outside;
  mapper_options.open = [outside](const nat::MappingRequest& request) -> Result<nat::PortMapping> {
    Result<nat::PortMapping> out = fail(ErrorCode::kInternal, "not asked");
    TRY(outside([&]() -> Result<> {
      out = nat::open_port(request);
      return {};
    }));
    return out;
  };
  mapper_options.close = [outside](const nat::MappingRequest& request, const nat::PortMapping& mapping) {
    return outside([&] { return nat::close_port(request, mapping); });
  };
  mapper = std::make_unique<nat::PortMapper>(
      strand, parts.pool, parts.random, engine->local_port(),
      [weak = weak_from_this()](const std::optional<nat::PortMapping>& mapping) {
        if (const auto impl = weak.lock(); impl && !impl->stopped) impl->on_mapping(mapping);
      },
      std::move(mapper_options));
  mapper->start();
}

}  // namespace bonus::net::overlay
