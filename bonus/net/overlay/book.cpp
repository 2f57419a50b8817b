// The address book: three indexes over one list in order of use.
#include "bonus/net/overlay/book.hpp"

namespace bonus::net::overlay {

namespace {
std::vector<Ipv6> addresses_of(const NodeRecord& record) {
  std::vector<Ipv6> out{record.address()};
  for (const auto& id : record.containers) out.push_back(container_address(record.root, id));
  return out;
}
}  // namespace

void AddressBook::index(const Entry& entry, const NodeId& id) {
  for (const auto& address : addresses_of(entry.known.record)) by_address_[address] = id;
  by_tunnel_[entry.known.record.tunnel.key] = id;
}

void AddressBook::unindex(const Entry& entry) {
  for (const auto& address : addresses_of(entry.known.record)) by_address_.erase(address);
  by_tunnel_.erase(entry.known.record.tunnel.key);
}

Result<AddressBook::Added> AddressBook::add(BytesView encoded, UnixSeconds now) {
  TRY_ASSIGN(auto record, open_record(encoded, now));
  const NodeId id = record.id();
  auto found = nodes_.find(id);
  const bool fresh = found == nodes_.end();
  if (!fresh) {
    if (record.sequence <= found->second.known.record.sequence) {
      touch(id);
      return Added::kSame;
    }
    unindex(found->second);
  } else {
    recent_.push_front(id);
    found = nodes_.emplace(id, Entry{{}, false, recent_.begin()}).first;
  }
  found->second.known = {std::move(record), Bytes(encoded.begin(), encoded.end())};
  index(found->second, id);
  if (fresh) evict();
  return fresh ? Added::kNew : Added::kNewer;
}

void AddressBook::evict() {
  auto at = recent_.end();
  while (nodes_.size() > limit_ && at != recent_.begin()) {
    --at;
    const auto found = nodes_.find(*at);
    if (found->second.pinned) continue;
    unindex(found->second);
    nodes_.erase(found);
    at = recent_.erase(at);
  }
}

const KnownNode* AddressBook::touch(const NodeId& id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second.used);
  return &found->second.known;
}

const KnownNode* AddressBook::find(const NodeId& node) { return touch(node); }
const KnownNode* AddressBook::owner_of(const Ipv6& address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : touch(found->second);
}
const KnownNode* AddressBook::by_tunnel(const crypto::X25519Public& key) {
  const auto found = by_tunnel_.find(key);
  return found == by_tunnel_.end() ? nullptr : touch(found->second);
}
void AddressBook::pin(const NodeId& node, bool pinned) {
  if (const auto found = nodes_.find(node); found != nodes_.end()) found->second.pinned = pinned;
}
std::vector<const KnownNode*> AddressBook::all() const {
  std::vector<const KnownNode*> out;
  for (const auto& id : recent_) out.push_back(&nodes_.at(id).known);
  return out;
}

}  // namespace bonus::net::overlay
