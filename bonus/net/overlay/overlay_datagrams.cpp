// Datagrams of BonusNet: opened and given to the core of their kind; what the cores want sent is sealed and sent.
#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace {
/// A relayed datagram may hold a sealed one, never another relayed one.
constexpr int kMaxDepth = 1;

bool is_wireguard(BytesView datagram) { return !datagram.empty() && datagram[0] >= 1 && datagram[0] <= 4; }
}  // namespace

void Overlay::Impl::handle(const PathEndpoint& path, Bytes datagram, int depth) {
  if (datagram.size() < 2) return;
  if (is_wireguard(datagram)) {
    std::ignore = engine->inject(path.via, path.udp, datagram);
    return;
  }
  if (datagram[0] == static_cast<std::uint8_t>(DatagramKind::kRelayed)) {
    handle_relayed(path, std::move(datagram), depth);
    return;
  }
  const bool contact = datagram[0] == static_cast<std::uint8_t>(DatagramKind::kContact);
  Sealer& opener = contact ? contact_sealer : sealer;
  if (!opener.knows(datagram) && !strangers.allow(path.udp.address, now())) {
    dropped_strangers.fetch_add(1);
    return;
  }
  const auto opened = opener.open(datagram);
  if (!opened) {
    dropped_unreadable.fetch_add(1);
    return;
  }
  if (contact) {
    if (path.via == 0 || is_link(path.via)) handle_contact(path, *opened);
  } else if (opened->kind == DatagramKind::kDht) {
    if (path.via != 0) return;  // the DHT speaks with endpoints only
    kad::Actions actions;
    std::ignore = dht->on_payload(opened->from, path.udp, opened->payload, now(), actions);
    carry_out(actions);
  } else {
    nat::Actions actions;
    paths->on_payload(opened->kind, opened->from, path, opened->payload, now(), actions);
    carry_out(actions);
  }
  arm();
}

void Overlay::Impl::handle_relayed(const PathEndpoint& path, Bytes frame, int depth) {
  if (depth >= kMaxDepth) return;
  const auto relayed = paths->on_relayed(frame, path, now());
  switch (relayed.what) {
    case nat::PathManager::Relayed::What::kDrop:
      return;
    case nat::PathManager::Relayed::What::kForward:
      send(relayed.path, frame);
      return;
    case nat::PathManager::Relayed::What::kDeliver:
      handle(relayed.path, Bytes(relayed.inner.begin(), relayed.inner.end()), depth + 1);
      return;
  }
}

void Overlay::Impl::handle_contact(const PathEndpoint& from, const Sealer::Opened& opened) {
  if (const auto question = decode_find(opened.payload)) {
    handle_find(from, opened.from, *question);
  } else if (const auto answer = decode_found(opened.payload)) {
    if (is_link(from.via)) handle_found(*answer);
  } else if (ContactFinder::is_request(opened.payload)) {
    if (encoded_record.empty() || !contacts.allow(from.udp.address, now())) return;
    const auto request = finder.on_request(opened.payload);
    if (!request) return;
    if (!request->record.empty()) learn(request->record);
    if (is_link(from.via)) publish_for(from.via, opened.from, request->record);
    send_sealed(contact_sealer, DatagramKind::kContact, opened.from, from, request->reply);
  } else {
    handle_reply(from, opened);
  }
}

void Overlay::Impl::handle_reply(const PathEndpoint& from, const Sealer::Opened& opened) {
  const auto answer = finder.on_reply(opened.from, from.udp, opened.payload, now());
  if (!answer) return;
  const auto read = open_record(answer->record, parts.clock.unix_s());
  const auto expected = finder.root_of(opened.from);
  if (!read || !expected || read->root != *expected) {
    log::debug("net", "contact_refused", {{"endpoint", to_string(from.udp)}});
    return;
  }
  learn(answer->record);
  if (from.via == 0) {
    contact_answered = true;
    kad::Actions actions;
    const kad::Kad::Seed seed{read->tunnel.key, from.udp, read->id()};
    dht->bootstrap(std::span(&seed, 1), now(), actions);
    carry_out(actions);
  } else if (const auto dialled = tls_bootstrap.find(read->root); dialled != tls_bootstrap.end()) {
    // The path manager, which knows the relay from now on, asks for the link that it needs.
    links->close(dialled->second);
    housekeep();
  }
  if (const auto* known = book.find(read->id())) connect(*known);
}

void Overlay::Impl::send(const PathEndpoint& path, BytesView datagram) {
  if (is_channel(path.via)) {
    Bytes framed(nat::kRelayHeader + datagram.size());
    const auto outer = paths->wrap(path, std::span<std::uint8_t, nat::kRelayHeader>(framed.data(), nat::kRelayHeader));
    if (!outer || is_channel(outer->via)) return;
    std::ranges::copy(datagram, framed.begin() + nat::kRelayHeader);
    send(*outer, framed);
  } else if (is_extra_socket(path.via)) {
    const auto found = extra_sockets.find(path.via);
    if (found != extra_sockets.end()) found->second->send_to(path.udp, datagram);
  } else if (is_link(path.via)) {
    if (links) std::ignore = links->send(path.via, datagram);
  } else {
    std::ignore = engine->send_datagram(path.udp, datagram);
  }
}

void Overlay::Impl::send_sealed(Sealer& with, DatagramKind kind, const crypto::X25519Public& to,
                                const PathEndpoint& path, BytesView payload) {
  const auto sealed = with.seal(kind, to, payload);
  if (sealed) send(path, *sealed);
}

void Overlay::Impl::carry_out(kad::Actions& actions) {
  for (const auto& one : actions.sends)
    send_sealed(sealer, DatagramKind::kDht, one.to, PathEndpoint{one.endpoint, 0}, one.payload);
  for (const auto& one : actions.named) greet(one);
  for (const auto& one : actions.learned) learn(one.record);
  for (const auto& one : actions.done) resolved(one);
}

void Overlay::Impl::carry_out(nat::Actions& actions) {
  for (const std::uint32_t via : actions.open_sockets)
    if (parts.helper != nullptr) tasks->spawn("extra socket", open_extra_socket(via));
  for (const auto& one : actions.sends) send_sealed(sealer, one.kind, one.to, one.path, one.payload);
  // Records first: the handshake of a peer that probes us may be in the next datagram.
  for (const auto& one : actions.records) learn(one.encoded, one.by_key);
  for (const auto& one : actions.changed) on_path(one);
  for (const auto& peer : actions.lost)
    if (const auto found = tunnels.find(peer); found != tunnels.end()) {
      found->second.path.reset();
      look_again(peer);
    }
  if (actions.endpoints_changed) record_stale = true;
  for (const auto& want : actions.want_links)
    if (links) std::ignore = links->dial(want.endpoints, want.root);
  for (const std::uint32_t via : actions.close) {
    if (is_extra_socket(via)) {
      if (const auto found = extra_sockets.find(via); found != extra_sockets.end()) {
        found->second->close();
        extra_sockets.erase(found);
      }
    } else if (links) {
      links->close(via);
    }
  }
}

runtime::Task<> Overlay::Impl::open_extra_socket(std::uint32_t via) {
  auto binding = parts.helper->bind_udp(host::Purpose::kUnderlay, 0);
  auto socket = co_await std::move(binding);
  if (!socket) co_return;
  auto shared = std::make_shared<Fd>(*std::move(socket));
  post([via, shared](Impl& impl) {
    auto handler = [weak = impl.weak_from_this(), via](const UdpEndpoint& from, Bytes datagram) {
      if (const auto self = weak.lock(); self && !self->stopped)
        self->handle(PathEndpoint{from, via}, std::move(datagram));
    };
    auto& slot = impl.extra_sockets[via];
    if (slot) slot->close();
    slot = std::make_shared<ExtraSocket>(impl.strand, std::move(*shared), std::move(handler));
    slot->start();
  });
}

}  // namespace bonus::net::overlay
