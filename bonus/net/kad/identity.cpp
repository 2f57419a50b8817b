// Keys and endpoints of contacts, kept once for all tables that name them.
#include "bonus/net/kad/identity.hpp"

namespace bonus::net::kad {

IdentityPool::Id IdentityPool::acquire(const crypto::X25519Public& key, const Ed25519PublicKey& root,
                                       const UdpEndpoint& endpoint) {
  probe_ = {key, root, endpoint};
  if (const auto it = index_.find(kProbe); it != index_.end()) {
    ++items_[*it].references;
    return *it;
  }
  Id id = 0;
  if (free_.empty()) {
    id = static_cast<Id>(items_.size());
    items_.push_back(probe_);
  } else {
    id = free_.back();
    free_.pop_back();
    items_[id] = probe_;
  }
  items_[id].references = 1;
  index_.insert(id);
  return id;
}

void IdentityPool::release(Id id) {
  if (--items_[id].references > 0) return;
  index_.erase(id);
  free_.push_back(id);
}

IdentityPool::Id IdentityPool::find(const crypto::X25519Public& key, const Ed25519PublicKey& root,
                                    const UdpEndpoint& endpoint) {
  probe_ = {key, root, endpoint};
  const auto it = index_.find(kProbe);
  return it == index_.end() ? kProbe : *it;
}

Position IdentityPool::position(Id id, std::uint32_t epoch, const Hash32& beacon, const Checker& checker) {
  auto& one = items_[id];
  if (one.cached_epoch != epoch) {
    one.cached = checker.position(one.root, epoch, beacon, Ring::kGlobal, 0);
    one.cached_epoch = epoch;
  }
  return one.cached;
}

std::size_t IdentityPool::memory_bytes() const {
  return sizeof *this + items_.capacity() * sizeof(Identity) + free_.capacity() * sizeof(Id) +
         index_.bucket_count() * sizeof(void*) + index_.size() * (sizeof(Id) + 2 * sizeof(void*));
}

}  // namespace bonus::net::kad
