// Whom we know: verified node records by node, by overlay address (containers included, also those that only a pointer
// leads to) and by tunnel key.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bonus/net/record/pointer.hpp"
#include "bonus/net/record/record.hpp"

namespace bonus::net::overlay {

struct KnownNode {
  NodeRecord record;
  Bytes encoded;
};

/// Not thread-safe. Holds at most `limit` nodes; who was used longest ago and is not pinned goes first.
class AddressBook {
 public:
  explicit AddressBook(std::size_t limit = 8192) : limit_(limit) {}

  enum class Added : std::uint8_t { kNew, kNewer, kSame };
  /// Checks the record (open_record). kSame for one that is not newer than what is known. kInvalid, kDenied.
  [[nodiscard]] Result<Added> add(BytesView encoded, UnixSeconds now);
  /// Null when unknown. Valid until the next change.
  [[nodiscard]] const KnownNode* find(const NodeId& node);
  [[nodiscard]] const KnownNode* owner_of(const Ipv6& address);
  /// Only who has been shown to have the key (shown_by_key): any record may name any key.
  [[nodiscard]] const KnownNode* by_tunnel(const crypto::X25519Public& key);
  /// The holder of the node's tunnel key has shown a record of this node. True: for the first time.
  bool shown_by_key(const NodeId& node);

  enum class Proven : std::uint8_t { kNew, kAgain, kUnknownNode };
  /// The pointer's address is that node's from now on, for kPointedLife; then it has to be proven again. Of the most
  /// that are kept of a node and in all, the one proven longest ago goes first.
  Proven prove(const AddressPointer& pointer, UnixSeconds now);
  /// Proven addresses of a node that its record does not name.
  [[nodiscard]] std::vector<Ipv6> pointed(const NodeId& node) const;
  /// The pointer that an address was proven by.
  [[nodiscard]] std::optional<AddressPointer> pointer_to(const Ipv6& address) const;
  /// Forgets what was proven too long ago; the nodes that lost an address.
  [[nodiscard]] std::vector<NodeId> expire_pointed(UnixSeconds now);
  /// An address of a pinned node that should be looked up again; not the same within kPointedRetry.
  [[nodiscard]] std::optional<Ipv6> pointed_due(UnixSeconds now);
  static constexpr UnixSeconds kPointedLife = 7200, kPointedRefresh = 3600, kPointedRetry = 600;
  static constexpr std::size_t kMaxPointed = 16384;

  /// Pinned nodes are never evicted: peers of the tunnel.
  void pin(const NodeId& node, bool pinned);
  [[nodiscard]] std::vector<const KnownNode*> all() const;
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

 private:
  struct Pointed {
    Bytes container;
    UnixSeconds proven = 0, asked = 0;
    std::list<std::pair<NodeId, Ipv6>>::iterator age;
  };
  struct Entry {
    KnownNode known;
    bool pinned = false, shown = false;
    std::map<Ipv6, Pointed> pointed = {};
    std::list<NodeId>::iterator used;
  };
  void index(const Entry& entry, const NodeId& id);
  void unindex(const Entry& entry);
  const KnownNode* touch(const NodeId& id);
  void evict();
  void forget_pointed(Entry& entry, std::map<Ipv6, Pointed>::iterator which);

  std::size_t limit_;
  std::unordered_map<NodeId, Entry> nodes_;
  std::unordered_map<Ipv6, NodeId> by_address_;
  std::unordered_map<crypto::X25519Public, NodeId> by_tunnel_;
  std::list<NodeId> recent_;                     // newest first
  std::list<std::pair<NodeId, Ipv6>> by_proof_;  // proven longest ago first
};

}  // namespace bonus::net::overlay
