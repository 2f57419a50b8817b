// Containers beyond those that a record names: ours are published as address pointers, those of others are found by
// them (docs/formats/net_record.md).
#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace {
constexpr std::size_t kMaxSourceLookups = 16;
constexpr Duration kSourcePause = std::chrono::milliseconds(250), kLastSourcePause = std::chrono::seconds(60);
}  // namespace

bool Overlay::Impl::owns(const Ipv6& one) const { return record.owns(one) || own_pointed.contains(one); }

Result<Bytes> Overlay::Impl::sign_with_containers() {
  // Who is named stays named: what others hold of a container's address remains true.
  const auto is_one_of = [](const std::vector<Bytes>& all) {
    return [&all](const Bytes& id) { return std::ranges::find(all, id) != all.end(); };
  };
  std::vector<Bytes> named;
  std::ranges::copy_if(record.containers, std::back_inserter(named), is_one_of(containers));
  for (const auto& id : containers)
    if (named.size() < kMaxRecordContainers && !is_one_of(named)(id)) named.push_back(id);
  record.containers = std::move(named);
  auto encoded = sign_record(record, root);
  // With long texts and many networks there is room for fewer.
  while (!encoded && encoded.error().code == ErrorCode::kInvalid && !record.containers.empty()) {
    record.containers.pop_back();
    encoded = sign_record(record, root);
  }
  own_pointed.clear();
  for (const auto& id : containers)
    if (own_pointed.size() < kMaxPointers && !is_one_of(record.containers)(id))
      own_pointed[container_address(root.public_key(), id)] = id;
  return encoded;
}

void Overlay::Impl::publish_pointers(kad::Actions& actions) {
  std::vector<Bytes> ids;
  for (const auto& [_, id] : own_pointed) ids.push_back(id);
  if (const auto set = dht->set_own_pointers(ids, now(), actions); !set)
    log::warn("net", "pointers_not_published", {{"error", set.error().message}});
}

void Overlay::Impl::prove(const AddressPointer& pointer) {
  if (pointer.root == root.public_key()) return;
  if (book.prove(pointer, parts.clock.unix_s()) != AddressBook::Proven::kNew) return;
  allow_pointed(crypto::node_id(pointer.root));
}

void Overlay::Impl::allow_pointed(const NodeId& node) {
  if (std::ranges::none_of(tunnels, [&](const auto& one) { return one.second.node == node; })) return;
  if (const auto* known = book.find(node)) update_tunnel(*known);
}

void Overlay::Impl::prove_by(BytesView encoded, const Ipv6& wanted) {
  // An older record may name a container that the newer one has no room for: the address is the root's all the same.
  const auto read = open_record(encoded, parts.clock.unix_s());
  if (!read) return;
  for (const auto& id : read->containers)
    if (container_address(read->root, id) == wanted) prove({read->root, id});
}

bool Overlay::Impl::follow(const kad::LookupDone& done) {
  const auto found = lookups.find(done.id);
  if (found == lookups.end() || !done.found) return false;
  const Ipv6 wanted = found->second.address;
  if (!done.pointer) {
    learn(done.data);
    if (lookups.contains(done.id) && book.owner_of(wanted) == nullptr) prove_by(done.data, wanted);
    return false;
  }
  const auto pointer = decode_pointer(done.data);
  if (!pointer || pointer->address() != wanted || pointer->root == root.public_key()) return false;
  prove(*pointer);
  if (book.owner_of(wanted) != nullptr) return false;
  // The node itself first; those who wait for the container go on waiting.
  resolve(pointer->node_address(), [weak = weak_from_this(), id = done.id, pointer = *pointer](const auto&) {
    const auto impl = weak.lock();
    if (!impl) return;
    impl->prove(pointer);
    impl->answer(id);
  });
  return true;
}

Bytes Overlay::Impl::pointed_container(const Ipv6& wanted) const {
  if (const auto own = own_pointed.find(wanted); own != own_pointed.end()) return own->second;
  const auto pointer = book.pointer_to(wanted);
  return pointer ? pointer->container : Bytes();
}

void Overlay::Impl::keep_pointers() {
  for (const auto& node : book.expire_pointed(parts.clock.unix_s())) allow_pointed(node);
  const auto wanted = book.pointed_due(parts.clock.unix_s());
  Waiter nobody = [](const Result<NodeRecord>&) {};
  if (!wanted || looking.contains(*wanted) || ask_relay(*wanted, nobody)) return;
  kad::Actions actions;
  if (const auto id = dht->find_address(*wanted, now(), actions)) {
    lookups[*id].address = *wanted;
    looking[*wanted] = *id;
  }
  carry_out(actions);
}

void Overlay::Impl::on_foreign_source(tunnel::PeerRef peer, const Ipv6& source) {
  if (started) post([peer, source](Impl& impl) { impl.look_at_source(peer, source); });
}

void Overlay::Impl::look_at_source(tunnel::PeerRef peer, const Ipv6& source) {
  const auto key = by_ref.find(peer);
  const auto found = key == by_ref.end() ? tunnels.end() : tunnels.find(key->second);
  if (found == tunnels.end() || owns(source) || book.owner_of(source) != nullptr) return;
  Tunnel& tunnel = found->second;
  // Whoever sends under addresses that are not his is asked about ever more rarely.
  if (now() < tunnel.next_source || source_lookups >= kMaxSourceLookups) return;
  tunnel.source_pause = std::clamp(2 * tunnel.source_pause, kSourcePause, kLastSourcePause);
  tunnel.next_source = now() + tunnel.source_pause;
  ++source_lookups;
  resolve(source, [weak = weak_from_this(), tunnel_key = key->second](const Result<NodeRecord>& owner) {
    const auto impl = weak.lock();
    if (!impl) return;
    --impl->source_lookups;
    const auto sender = impl->tunnels.find(tunnel_key);
    if (sender == impl->tunnels.end() || !owner || owner->id() != sender->second.node) return;
    sender->second.source_pause = Duration{};
    sender->second.next_source = impl->now();
  });
}

}  // namespace bonus::net::overlay
