// Whom a node keeps in touch with. Everybody else is reached on demand, so that the size of the network does not show
// in the number of a node's tunnels: bookkeepers, a few nodes of the chain, and who asked to be told.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "bonus/net/api/transport.hpp"

namespace bonus::node {

inline constexpr std::size_t kNearBookkeepers = 4, kNearOthers = 4, kMaxSubscribers = 192;
inline constexpr Duration kHelloPeriod = std::chrono::seconds(20);
inline constexpr Duration kSubscription = std::chrono::seconds(70);  ///< Three hellos and some patience.

/// Thread-safe.
class Neighbours {
 public:
  /// `bookkeeper`: this node is one, and keeps in touch with all others of them; who is none chooses a few.
  /// `configured`: always kept.
  Neighbours(const Ed25519PublicKey& self, bool bookkeeper, std::vector<net::Peer> bookkeepers,
             std::vector<net::Peer> configured);

  struct Change {
    std::vector<net::Peer> chosen;   ///< To be set: new, or with another endpoint.
    std::vector<NodeId> given_up;    ///< No neighbours any more, neither chosen nor subscribed.
    std::vector<net::Peer> dropped;  ///< Not chosen any more; they may still be subscribers.
  };
  /// The choice among the nodes on the chain, by the hash of both ids: the same as long as they stay, and spread evenly
  /// over all of them. Subscriptions that have ended are among the given up.
  [[nodiscard]] Change update(std::span<const net::Peer> on_chain, Instant now);

  /// "Tell me what you hear": the sender's key, which proves its id. A new subscriber is returned and has to be set as
  /// a peer; nothing for one that is known. kInvalid; kExhausted beyond kMaxSubscribers, where a node of the chain
  /// takes the place of one that is on none: an identity alone costs nothing.
  [[nodiscard]] Result<std::optional<net::Peer>> on_hello(const NodeId& from, BytesView message, Instant now);
  /// Chosen neighbours to say hello to now: those without a connection, and each again in time.
  [[nodiscard]] std::vector<NodeId> to_greet(const net::Transport& transport, Instant now);
  [[nodiscard]] const Bytes& hello() const { return hello_; }

 private:
  struct Chosen {
    net::Peer peer;
    std::optional<Instant> greeted;
  };
  [[nodiscard]] std::vector<net::Peer> nearest(std::vector<net::Peer> from, std::size_t count) const;

  const NodeId self_;
  const bool bookkeeper_;
  const std::vector<net::Peer> bookkeepers_, configured_;
  const Bytes hello_;
  std::mutex mutex_;
  std::map<NodeId, Chosen> chosen_;        // guarded by mutex_
  std::map<NodeId, Instant> subscribers_;  // guarded by mutex_; until when
  std::set<NodeId> on_chain_;              // guarded by mutex_; as of the last update()
};

}  // namespace bonus::node
