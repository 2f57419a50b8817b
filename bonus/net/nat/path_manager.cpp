// The public class, and what it tells: endpoints to publish, kind of NAT, peers.
#include "bonus/net/nat/path_manager.hpp"

#include <algorithm>

#include "bonus/net/nat/manager.hpp"

namespace bonus::net::nat {

NatKind PathManager::Impl::nat_kind() const {
  const NatKind kind = context_.observer.kind();
  if (kind == NatKind::kUnknown && context_.relays.udp_blocked()) return NatKind::kBlocked;
  return kind;
}

std::vector<RecordEndpoint> PathManager::Impl::endpoints() const {
  using Kind = RecordEndpoint::Kind;
  std::vector<RecordEndpoint> out;
  const auto add = [&](Kind kind, const UdpEndpoint& endpoint) {
    const bool listed = std::ranges::any_of(out, [&](const auto& e) { return e.address == endpoint; });
    if (!listed && out.size() < kMaxRecordEndpoints - 2) out.push_back({kind, endpoint, {}});
  };
  for (const UdpEndpoint& mapping : mappings_) add(Kind::kMapped, mapping);
  const auto& local = context_.observer.local();
  const std::uint16_t port = context_.observer.port();
  for (const auto& own : local)
    if (is_global_unicast(own.address)) add(Kind::kLocal, {own.address, port});
  if (nat_kind() != NatKind::kSymmetric)
    for (const UdpEndpoint& seen : context_.observer.agreed()) add(Kind::kObserved, seen);
  for (const auto& own : local) add(Kind::kLocal, {own.address, port});
  const auto relays = context_.relays.home_endpoints();
  for (const RecordEndpoint& relay : relays)
    if (out.size() < kMaxRecordEndpoints) out.push_back(relay);
  return out;
}

void PathManager::Impl::check_endpoints(Actions& out) {
  auto current = endpoints();
  if (current == last_endpoints_) return;
  last_endpoints_ = std::move(current);
  out.endpoints_changed = true;
}

// The public class.

PathManager::PathManager(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
                         const runtime::Clock& wall, PathOptions options)
    : impl_(std::make_unique<Impl>(root, self, random, wall, std::move(options))) {}
PathManager::~PathManager() = default;

void PathManager::set_self(BytesView record) { impl_->set_self(record); }
void PathManager::set_local_addresses(std::vector<LocalAddress> addresses, std::uint16_t port, Instant now,
                                      Actions& out) {
  impl_->set_local(std::move(addresses), port, now, out);
}
void PathManager::add_mapping(const UdpEndpoint& external, Actions& out) {
  if (external.valid() && impl_->mappings_.size() < 8) impl_->mappings_.insert(external);
  impl_->check_endpoints(out);
}
void PathManager::remove_mapping(const UdpEndpoint& external, Actions& out) {
  impl_->mappings_.erase(external);
  impl_->check_endpoints(out);
}
void PathManager::set_relays(std::vector<NodeRecord> relays, Instant now, Actions& out) {
  impl_->set_relays(std::move(relays), now, out);
}
void PathManager::set_reachable(bool reachable, Instant now, Actions& out) {
  if (std::exchange(impl_->reachable_, reachable) != reachable) impl_->choose_home(now, out);
}
Result<> PathManager::connect(const NodeRecord& record, Instant now, Actions& out, bool at_once) {
  return impl_->connect(record, now, out, at_once);
}
void PathManager::meet(const crypto::X25519Public& peer, const UdpEndpoint& endpoint, Instant now, Actions& out) {
  impl_->meet(peer, endpoint, now, out);
}
void PathManager::forget(const crypto::X25519Public& peer, Actions& out) { impl_->forget(peer, out); }
void PathManager::on_payload(DatagramKind kind, const crypto::X25519Public& from, const PathEndpoint& path,
                             BytesView payload, Instant now, Actions& out) {
  impl_->on_payload(kind, from, path, payload, now, out);
}
void PathManager::on_traffic(const crypto::X25519Public& peer, bool received, Instant now, Actions& out) {
  impl_->on_traffic(peer, received, now, out);
}
void PathManager::on_timer(Instant now, Actions& out) { impl_->on_timer(now, out); }
std::optional<Instant> PathManager::next_timer() const { return impl_->next_timer(); }
PathManager::Relayed PathManager::on_relayed(std::span<std::uint8_t> frame, const PathEndpoint& from, Instant now) {
  return impl_->on_relayed(frame, from, now);
}
std::optional<PathEndpoint> PathManager::wrap(const PathEndpoint& path,
                                              std::span<std::uint8_t, kRelayHeader> header) const {
  return impl_->context_.relays.wrap(path.via, header);
}
void PathManager::link_up(const crypto::X25519Public& relay, const PathEndpoint& link, const Ed25519PublicKey& root,
                          Instant now, Actions& out) {
  impl_->context_.relays.link_up(relay, link, root, now, out);
}
void PathManager::link_down(std::uint32_t via, Instant now, Actions& out) { impl_->link_down(via, now, out); }
std::vector<RecordEndpoint> PathManager::endpoints() const { return impl_->endpoints(); }
NatKind PathManager::nat_kind() const { return impl_->nat_kind(); }
std::vector<UdpEndpoint> PathManager::observed() const { return impl_->context_.observer.agreed(); }
RelayServer* PathManager::relay_server() { return impl_->server_.get(); }

std::vector<PathManager::PeerStatus> PathManager::peers() const {
  std::vector<PeerStatus> out;
  for (const auto& [key, peer] : impl_->peers_)
    out.push_back(
        {key, peer->wanted, peer->paths.announced(), peer->paths.size(), peer->paths.switches(), peer->paths.loss()});
  return out;
}

std::optional<Actions::PathChanged> PathManager::path(const crypto::X25519Public& peer) const {
  const auto found = impl_->peers_.find(peer);
  if (found == impl_->peers_.end()) return std::nullopt;
  return found->second->paths.announced();
}

}  // namespace bonus::net::nat
