// What the engine's threads call: copy, bound, post to the strand.
#include <boost/asio/post.hpp>

#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

void Overlay::Impl::post(std::function<void(Impl&)> work) {
  boost::asio::post(strand, [weak = weak_from_this(), work = std::move(work)] {
    if (const auto self = weak.lock(); self && !self->stopped) work(*self);
  });
}

void Overlay::Impl::on_foreign_datagram(const UdpEndpoint& from, BytesView datagram) {
  if (!started) return;
  if (posted.fetch_add(1) >= kMaxPosted) {
    posted.fetch_sub(1);
    dropped_posted.fetch_add(1);
    return;
  }
  post([from, bytes = Bytes(datagram.begin(), datagram.end())](Impl& impl) mutable {
    impl.posted.fetch_sub(1);
    impl.handle(PathEndpoint{from, 0}, std::move(bytes));
  });
}

void Overlay::Impl::send_via(const tunnel::Endpoint& to, std::span<const BytesView> datagrams) {
  if (!started) return;
  std::size_t total = 0;
  for (const auto& datagram : datagrams) total += datagram.size();
  if (relay_bytes.fetch_add(total) + total > kMaxRelayBytes) {
    relay_bytes.fetch_sub(total);
    dropped_relay.fetch_add(datagrams.size());
    return;
  }
  std::vector<Bytes> copies;
  copies.reserve(datagrams.size());
  for (const auto& datagram : datagrams) copies.emplace_back(datagram.begin(), datagram.end());
  post([path = PathEndpoint{to.udp, to.via}, total, copies = std::move(copies)](Impl& impl) {
    impl.relay_bytes.fetch_sub(total);
    for (const auto& datagram : copies) impl.send(path, datagram);
  });
}

void Overlay::Impl::on_event(const tunnel::Event& event) {
  if (started) post([event](Impl& impl) { impl.handle_event(event); });
}

void Overlay::Impl::on_session_ready(tunnel::PeerRef /*peer*/) {}

}  // namespace bonus::net::overlay
