// The choice of neighbours and the subscriptions of others.
#include "bonus/node/neighbours.hpp"

#include <algorithm>

#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::node {

Neighbours::Neighbours(const Ed25519PublicKey& self, bool bookkeeper, std::vector<net::Peer> bookkeepers,
                       std::vector<net::Peer> configured)
    : self_(crypto::node_id(self)),
      bookkeeper_(bookkeeper),
      bookkeepers_(std::move(bookkeepers)),
      configured_(std::move(configured)),
      hello_(self.bytes.begin(), self.bytes.end()) {}

std::vector<net::Peer> Neighbours::nearest(std::vector<net::Peer> from, std::size_t count) const {
  std::erase_if(from, [&](const net::Peer& peer) { return peer.id == self_; });
  if (from.size() <= count) return from;
  std::vector<std::pair<Hash32, net::Peer>> scored;
  for (auto& peer : from) {
    Bytes both(self_.bytes.begin(), self_.bytes.end());
    append(both, peer.id);
    scored.emplace_back(crypto::sha256(both), std::move(peer));
  }
  std::ranges::nth_element(scored, scored.begin() + static_cast<std::ptrdiff_t>(count), {},
                           [](const auto& one) { return one.first; });
  from.clear();
  for (std::size_t i = 0; i < count; ++i) from.push_back(std::move(scored[i].second));
  return from;
}

Neighbours::Change Neighbours::update(std::span<const net::Peer> on_chain, Instant now) {
  std::vector<net::Peer> wanted = nearest(bookkeepers_, bookkeeper_ ? bookkeepers_.size() : kNearBookkeepers);
  // Bookkeepers are heard by many already.
  if (!bookkeeper_) {
    std::vector<net::Peer> others(on_chain.begin(), on_chain.end());
    std::erase_if(others, [&](const net::Peer& peer) {
      return std::ranges::any_of(bookkeepers_, [&](const net::Peer& one) { return one.id == peer.id; });
    });
    std::ranges::move(nearest(std::move(others), kNearOthers), std::back_inserter(wanted));
  }
  std::ranges::copy(configured_, std::back_inserter(wanted));
  const std::lock_guard lock(mutex_);
  on_chain_.clear();
  for (const auto& peer : on_chain) on_chain_.insert(peer.id);
  Change out;
  std::map<NodeId, Chosen> next;
  for (auto& peer : wanted) {
    if (peer.id == self_ || next.contains(peer.id)) continue;
    const auto known = chosen_.find(peer.id);
    if (known == chosen_.end() || known->second.peer.endpoint != peer.endpoint) out.chosen.push_back(peer);
    const auto greeted = known == chosen_.end() ? std::nullopt : known->second.greeted;
    next.emplace(peer.id, Chosen{std::move(peer), greeted});
  }
  std::erase_if(subscribers_, [&](const auto& one) {
    if (one.second > now) return false;
    if (!next.contains(one.first) && !chosen_.contains(one.first)) out.given_up.push_back(one.first);
    return true;
  });
  for (auto& [id, former] : chosen_) {
    if (next.contains(id)) continue;
    if (!subscribers_.contains(id)) out.given_up.push_back(id);
    out.dropped.push_back(std::move(former.peer));
  }
  chosen_ = std::move(next);
  return out;
}

Result<std::optional<net::Peer>> Neighbours::on_hello(const NodeId& from, BytesView message, Instant now) {
  const auto key = Ed25519PublicKey::from(message);
  if (!key || crypto::node_id(*key) != from)
    return fail(ErrorCode::kInvalid, "a hello holds the key of the node that says it");
  const std::lock_guard lock(mutex_);
  const auto is_live = [now](const auto& one) { return one.second > now; };
  const auto known = subscribers_.find(from);
  const bool set = known != subscribers_.end();
  const auto crowd = static_cast<std::size_t>(std::ranges::count_if(subscribers_, is_live));
  if ((!set || !is_live(*known)) && crowd >= kMaxSubscribers) {
    const auto anybody = std::ranges::find_if(
        subscribers_, [&](const auto& one) { return is_live(one) && !on_chain_.contains(one.first); });
    if (!on_chain_.contains(from) || anybody == subscribers_.end())
      return fail(ErrorCode::kExhausted, "enough nodes are told already");
    anybody->second = now;  // the next update() gives it up
  }
  subscribers_[from] = now + kSubscription;
  if (set) return std::nullopt;
  if (chosen_.contains(from)) return std::nullopt;
  return net::Peer{from, *key, net::to_string(net::overlay_address(from))};
}

std::vector<NodeId> Neighbours::to_greet(const net::Transport& transport, Instant now) {
  const std::lock_guard lock(mutex_);
  std::vector<NodeId> out;
  for (auto& [id, chosen] : chosen_) {
    if (transport.connected(id) && chosen.greeted && now - *chosen.greeted < kHelloPeriod) continue;
    chosen.greeted = now;
    out.push_back(id);
  }
  return out;
}

}  // namespace bonus::node
