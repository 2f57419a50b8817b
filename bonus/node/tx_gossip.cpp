// Transaction gossip: what is known of each hash and of each peer, behind one mutex; the transport and the mempool are
// called without it.
#include "bonus/node/tx_gossip.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "bonus/base/log.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/node/tx_gossip_messages.hpp"

namespace bonus::node {
namespace {

constexpr std::string_view kHashes = "tx.hashes";
constexpr std::string_view kWant = "tx.want";
constexpr std::string_view kBodies = "tx.bodies";
constexpr std::size_t kRepeated = 512;           // announcements per call of repeat()
constexpr std::size_t kServedMessage = 1 << 19;  // bytes of transactions after which a message is sent
constexpr std::size_t kLeastAsked = 16;          // of a peer that does not deliver
constexpr unsigned kPatience = 2;                // calls of repeat() until a request or an announcement is given up
constexpr unsigned kRefusalTicks = 10;           // calls of repeat() after which a refused transaction may come again
constexpr unsigned kIdleTicks = 20;              // calls of repeat() after which a silent stranger is forgotten

using PeerNumber = std::uint32_t;

/// A transaction that is, or was, here.
struct Seen {
  std::array<PeerNumber, 4> holders{};  ///< Peers that have it: the one it came from and others that announced it.
  std::uint8_t holder_count = 0;
  bool refused = false;
  unsigned tick = 0;

  [[nodiscard]] bool held_by(PeerNumber peer) const {
    return std::find(holders.begin(), holders.begin() + holder_count, peer) != holders.begin() + holder_count;
  }
  void add_holder(PeerNumber peer) {
    if (holder_count < holders.size() && !held_by(peer)) holders[holder_count++] = peer;
  }
};
struct Asked {
  NodeId peer;
  unsigned tick = 0;
};
struct PeerState {
  PeerNumber number = 0;
  std::deque<Hash32> outbox;     ///< To announce.
  bool announcing = false;       ///< An announcement is not answered yet.
  unsigned announced = 0;        ///< Tick of it.
  std::size_t asked = 0;         ///< Its entries in `asked`.
  std::size_t allowance = 0;     ///< How many it may have there.
  std::size_t delivered = 0;     ///< Since the last tick.
  std::size_t served_bytes = 0;  ///< Since the last tick.
  unsigned last = 0;             ///< Tick of the last message.
};
struct Message {
  NodeId to;
  std::string_view service;
  Bytes payload;
};

}  // namespace

struct TxGossip::Impl {
  Impl(net::Transport& t, chain::Mempool& m, Metrics& metrics, chain::ForEach each, const TxGossipLimits& bounds)
      : transport(t),
        mempool(m),
        for_each(std::move(each)),
        limits(bounds),
        received(counter(metrics, "new")),
        known(counter(metrics, "known")),
        refused(counter(metrics, "refused")),
        unasked(counter(metrics, "unasked")) {}

  static Metrics::Counter& counter(Metrics& metrics, const char* result) {
    return metrics.counter("bonus_node_gossip_transactions_total", "Transactions announced or sent by peers",
                           {{"result", result}});
  }

  net::Transport& transport;
  chain::Mempool& mempool;
  const chain::ForEach for_each;
  const TxGossipLimits limits;
  Metrics::Counter& received;
  Metrics::Counter& known;
  Metrics::Counter& refused;
  Metrics::Counter& unasked;
  std::function<bool(const NodeId&)> proposer;

  std::mutex mutex;
  std::unordered_map<Hash32, Seen> seen;
  std::deque<Hash32> order;  // of `seen`, oldest first
  std::unordered_map<Hash32, Asked> asked;
  std::map<NodeId, PeerState> peers;
  std::unordered_set<Hash32> waiting;  // found in the mempool by the last repeat()
  PeerNumber next_number = 0;
  unsigned tick = 0;

  void send(std::vector<Message> messages) {
    for (auto& message : messages) transport.notify(message.to, message.service, std::move(message.payload));
  }

  /// Nothing when there are too many peers. Whoever says something gets one of the first half: the transport's own
  /// peers always find room.
  PeerState* peer_state(const NodeId& id, bool own = false) {
    if (const auto found = peers.find(id); found != peers.end()) return &found->second;
    if (peers.size() >= (own ? limits.peers : limits.peers / 2)) return nullptr;
    PeerState& fresh = peers[id];
    fresh.number = next_number++;
    fresh.allowance = limits.asked_per_peer;
    fresh.last = tick;
    return &fresh;
  }
  Seen& remember(const Hash32& hash) {
    const auto [place, fresh] = seen.try_emplace(hash);
    place->second.tick = tick;
    if (!fresh) return place->second;
    order.push_back(hash);
    if (order.size() > limits.remembered) {
      seen.erase(order.front());
      order.pop_front();
    }
    return place->second;
  }
  void enqueue(PeerState& peer, const Hash32& hash) {
    peer.outbox.push_back(hash);
    if (peer.outbox.size() > limits.announcements_per_peer) peer.outbox.pop_front();
  }
  /// The next announcement to a peer, when none is under way.
  void announce_to(const NodeId& id, PeerState& peer, std::vector<Message>& out) {
    if (peer.announcing || peer.outbox.empty()) return;
    const std::size_t count = std::min(peer.outbox.size(), kMaxGossipHashes);
    const auto end = peer.outbox.begin() + static_cast<std::ptrdiff_t>(count);
    out.push_back({id, kHashes, encode_hashes({peer.outbox.begin(), end})});
    peer.outbox.erase(peer.outbox.begin(), end);
    // Without a connection there may be no answer to wait for.
    peer.announcing = transport.connected(id);
    peer.announced = tick;
  }

  void on_hashes(const NodeId& from, const Bytes& message);
  void on_want(const NodeId& from, const Bytes& message);
  void on_bodies(const NodeId& from, const Bytes& message);
  [[nodiscard]] bool wanted(PeerState& peer, const NodeId& from, const Hash32& hash);
  void next_tick(std::vector<Message>& out);
};

/// Whether to ask `from` for what it announced.
bool TxGossip::Impl::wanted(PeerState& peer, const NodeId& from, const Hash32& hash) {
  if (const auto found = seen.find(hash); found != seen.end()) {
    found->second.add_holder(peer.number);
    if (!found->second.refused || tick - found->second.tick < kRefusalTicks) return false;
  }
  if (asked.contains(hash)) return false;
  if (peer.asked >= peer.allowance || asked.size() >= limits.asked) return false;
  asked.emplace(hash, Asked{from, tick});
  ++peer.asked;
  return true;
}

void TxGossip::Impl::on_hashes(const NodeId& from, const Bytes& message) {
  const auto hashes = decode_hashes(message);
  if (!hashes) return refused.add();
  std::vector<Hash32> want;
  {
    const std::scoped_lock lock(mutex);
    PeerState* const peer = peer_state(from);
    if (peer == nullptr) return;
    peer->last = tick;
    for (const Hash32& hash : *hashes)
      if (wanted(*peer, from, hash)) want.push_back(hash);
  }
  known.add(static_cast<double>(hashes->size() - want.size()));
  transport.notify(from, kWant, encode_hashes(want));  // an empty one says that the announcement has come
}

void TxGossip::Impl::on_want(const NodeId& from, const Bytes& message) {
  const auto hashes = decode_hashes(message);
  if (!hashes) return refused.add();
  std::vector<Message> out;
  std::size_t allowed = 0;
  {
    const std::scoped_lock lock(mutex);
    PeerState* const peer = peer_state(from);
    if (peer == nullptr) return;
    peer->last = tick;
    peer->announcing = false;
    announce_to(from, *peer, out);
    allowed = limits.served_bytes_per_peer - std::min(limits.served_bytes_per_peer, peer->served_bytes);
  }
  std::vector<Bytes> bodies;
  std::size_t bytes = 0;
  std::size_t served = 0;
  const auto flush = [&] {
    if (bodies.empty()) return;
    out.push_back({from, kBodies, encode_bodies(bodies)});
    bodies.clear();
    bytes = 0;
  };
  for (const Hash32& hash : *hashes) {
    const auto tx = mempool.find(hash);
    if (tx == nullptr) continue;  // mined or dropped in the meantime
    Bytes raw = tx->tx.encode();
    if (served + raw.size() > allowed) break;
    served += raw.size();
    bytes += raw.size();
    bodies.push_back(std::move(raw));
    if (bodies.size() == kMaxGossipBodies || bytes >= kServedMessage) flush();
  }
  flush();
  {
    const std::scoped_lock lock(mutex);
    if (PeerState* const peer = peer_state(from)) peer->served_bytes += served;
  }
  send(std::move(out));
}

void TxGossip::Impl::on_bodies(const NodeId& from, const Bytes& message) {
  const auto bodies = decode_bodies(message);
  if (!bodies) return refused.add();
  std::vector<BytesView> raw;
  std::vector<Hash32> hashes;
  {
    std::vector<Hash32> all;
    for (const BytesView& body : *bodies) all.push_back(crypto::keccak256(body));
    const std::scoped_lock lock(mutex);
    PeerState* const peer = peer_state(from);
    if (peer == nullptr) return;
    peer->last = tick;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto found = asked.find(all[i]);
      if (found == asked.end() || found->second.peer != from) {
        unasked.add();
        continue;
      }
      asked.erase(found);
      --peer->asked;
      ++peer->delivered;
      remember(all[i]).add_holder(peer->number);  // before it is added: that announces it
      raw.push_back((*bodies)[i]);
      hashes.push_back(all[i]);
    }
  }
  auto decoded = chain::decode_all(raw, for_each);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const Result<> added = decoded[i] ? mempool.add(*decoded[i]) : fail(std::move(decoded[i]).error());
    if (added) {
      received.add();
      continue;
    }
    if (added.error().code == ErrorCode::kExists) {
      known.add();
      continue;
    }
    refused.add();
    log::debug("node", "gossip_refused",
               {{"from", to_hex(from.view()).substr(0, 8)}, {"error", added.error().message}});
    const std::scoped_lock lock(mutex);
    if (const auto found = seen.find(hashes[i]); found != seen.end()) found->second.refused = true;
  }
}

/// Gives up what did not come, so that another peer can be asked, and lets the allowances of peers follow what they do.
void TxGossip::Impl::next_tick(std::vector<Message>& out) {
  ++tick;
  std::unordered_set<NodeId> failed;
  for (auto item = asked.begin(); item != asked.end();) {
    if (tick - item->second.tick < kPatience) {
      ++item;
      continue;
    }
    if (const auto peer = peers.find(item->second.peer); peer != peers.end()) --peer->second.asked;
    failed.insert(item->second.peer);
    item = asked.erase(item);
  }
  for (auto item = peers.begin(); item != peers.end();) {
    auto& [id, peer] = *item;
    if (peer.delivered > 0) {
      peer.allowance = std::min(limits.asked_per_peer, peer.allowance + peer.delivered);
    } else if (failed.contains(id)) {
      peer.allowance = std::max(kLeastAsked, peer.allowance / 2);
    }
    peer.delivered = 0;
    peer.served_bytes = 0;
    if (peer.announcing && tick - peer.announced >= kPatience) peer.announcing = false;  // it was lost
    announce_to(id, peer, out);
    const bool idle = peer.asked == 0 && peer.outbox.empty() && tick - peer.last > kIdleTicks;
    item = idle ? peers.erase(item) : std::next(item);
  }
}

TxGossip::TxGossip(net::Transport& transport, chain::Mempool& mempool, Metrics& metrics, chain::ForEach for_each,
                   const TxGossipLimits& limits)
    : impl_(std::make_unique<Impl>(transport, mempool, metrics, std::move(for_each), limits)) {
  Impl* const impl = impl_.get();
  transport.on_message(std::string(kHashes), [impl](NodeId from, Bytes message) { impl->on_hashes(from, message); });
  transport.on_message(std::string(kWant), [impl](NodeId from, Bytes message) { impl->on_want(from, message); });
  transport.on_message(std::string(kBodies), [impl](NodeId from, Bytes message) { impl->on_bodies(from, message); });
}
TxGossip::~TxGossip() = default;

void TxGossip::prefer(std::function<bool(const NodeId&)> proposer) { impl_->proposer = std::move(proposer); }

void TxGossip::announce(const chain::TransactionPtr& tx) {
  auto listed = impl_->transport.peers();
  if (impl_->proposer) {
    // The whole neighbourhood would hear of each transaction from all sides; who proposes needs it once.
    std::vector<net::Peer> proposers;
    std::ranges::copy_if(listed, std::back_inserter(proposers),
                         [&](const net::Peer& peer) { return impl_->proposer(peer.id); });
    if (std::ranges::any_of(proposers, [&](const net::Peer& one) { return impl_->transport.connected(one.id); }))
      listed = std::move(proposers);
  }
  std::vector<Message> out;
  {
    const std::scoped_lock lock(impl_->mutex);
    const Seen here = impl_->remember(tx->hash);
    for (const auto& listed_peer : listed) {
      PeerState* const peer = impl_->peer_state(listed_peer.id, true);
      if (peer == nullptr || here.held_by(peer->number)) continue;
      impl_->enqueue(*peer, tx->hash);
      impl_->announce_to(listed_peer.id, *peer, out);
    }
  }
  impl_->send(std::move(out));
}

void TxGossip::repeat(const chain::LedgerReader& ledger) {
  const auto head = ledger.head();
  auto candidates = impl_->mempool.best(head.base_fee, head.gas_limit);
  if (candidates.size() > kRepeated) candidates.resize(kRepeated);
  const auto listed = impl_->transport.peers();
  std::vector<Message> out;
  {
    const std::scoped_lock lock(impl_->mutex);
    for (const auto& listed_peer : listed)
      if (PeerState* const peer = impl_->peer_state(listed_peer.id, true)) peer->last = impl_->tick;
    std::unordered_set<Hash32> now;
    for (const auto& tx : candidates) now.insert(tx->hash);
    impl_->waiting.swap(now);
    for (const auto& tx : candidates) {
      if (!now.contains(tx->hash)) continue;  // `now` holds those of the last call
      const Seen here = impl_->remember(tx->hash);
      for (const auto& listed_peer : listed) {
        PeerState* const peer = impl_->peer_state(listed_peer.id, true);
        if (peer != nullptr && !here.held_by(peer->number)) impl_->enqueue(*peer, tx->hash);
      }
    }
    impl_->next_tick(out);
  }
  impl_->send(std::move(out));
}

}  // namespace bonus::node
