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
  for (const auto& [address, _] : entry.pointed) by_address_[address] = id;
  if (entry.shown) by_tunnel_[entry.known.record.tunnel.key] = id;
}

void AddressBook::unindex(const Entry& entry) {
  for (const auto& address : addresses_of(entry.known.record)) by_address_.erase(address);
  for (const auto& [address, _] : entry.pointed) by_address_.erase(address);
  if (entry.shown) by_tunnel_.erase(entry.known.record.tunnel.key);
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
    if (record.tunnel.key != found->second.known.record.tunnel.key) found->second.shown = false;
  } else {
    recent_.push_front(id);
    found = nodes_.emplace(id, Entry{{}, false, false, {}, recent_.begin()}).first;
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
    for (const auto& [_, one] : found->second.pointed) by_proof_.erase(one.age);
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

bool AddressBook::shown_by_key(const NodeId& node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end() || found->second.shown) return false;
  const auto& key = found->second.known.record.tunnel.key;
  // A key that two roots share: the one that it spoke for last.
  if (const auto former = by_tunnel_.find(key); former != by_tunnel_.end()) nodes_.at(former->second).shown = false;
  found->second.shown = true;
  by_tunnel_[key] = node;
  return true;
}

void AddressBook::forget_pointed(Entry& entry, std::map<Ipv6, Pointed>::iterator which) {
  if (!entry.known.record.owns(which->first)) by_address_.erase(which->first);
  by_proof_.erase(which->second.age);
  entry.pointed.erase(which);
}

AddressBook::Proven AddressBook::prove(const AddressPointer& pointer, UnixSeconds now) {
  const NodeId id = crypto::node_id(pointer.root);
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return Proven::kUnknownNode;
  Entry& entry = found->second;
  const Ipv6 address = pointer.address();
  if (const auto known = entry.pointed.find(address); known != entry.pointed.end()) {
    known->second.proven = now;
    by_proof_.splice(by_proof_.end(), by_proof_, known->second.age);
    return Proven::kAgain;
  }
  if (entry.pointed.size() >= kMaxPointers)
    forget_pointed(entry, std::ranges::min_element(entry.pointed, {}, [](const auto& o) { return o.second.proven; }));
  if (by_proof_.size() >= kMaxPointed) {
    const auto [node, oldest] = by_proof_.front();
    Entry& loser = nodes_.at(node);
    forget_pointed(loser, loser.pointed.find(oldest));
  }
  by_proof_.emplace_back(id, address);
  entry.pointed.emplace(address, Pointed{pointer.container, now, 0, std::prev(by_proof_.end())});
  by_address_[address] = id;
  return Proven::kNew;
}

std::vector<Ipv6> AddressBook::pointed(const NodeId& node) const {
  std::vector<Ipv6> out;
  if (const auto found = nodes_.find(node); found != nodes_.end())
    for (const auto& [address, _] : found->second.pointed)
      if (!found->second.known.record.owns(address)) out.push_back(address);
  return out;
}

std::optional<AddressPointer> AddressBook::pointer_to(const Ipv6& address) const {
  const auto owner = by_address_.find(address);
  if (owner == by_address_.end()) return std::nullopt;
  const Entry& entry = nodes_.at(owner->second);
  const auto found = entry.pointed.find(address);
  if (found == entry.pointed.end()) return std::nullopt;
  return AddressPointer{entry.known.record.root, found->second.container};
}

std::vector<NodeId> AddressBook::expire_pointed(UnixSeconds now) {
  std::vector<NodeId> out;
  while (!by_proof_.empty()) {
    const auto [node, address] = by_proof_.front();
    Entry& entry = nodes_.at(node);
    const auto which = entry.pointed.find(address);
    if (which->second.proven + kPointedLife > now) break;
    forget_pointed(entry, which);
    if (std::ranges::find(out, node) == out.end()) out.push_back(node);
  }
  return out;
}

std::optional<Ipv6> AddressBook::pointed_due(UnixSeconds now) {
  for (const auto& [node, address] : by_proof_) {
    Entry& entry = nodes_.at(node);
    Pointed& one = entry.pointed.at(address);
    if (one.proven + kPointedRefresh > now) break;
    if (!entry.pinned || one.asked + kPointedRetry > now) continue;
    one.asked = now;
    return address;
  }
  return std::nullopt;
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
