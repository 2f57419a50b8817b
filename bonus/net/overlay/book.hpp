// Whom we know: verified node records by node, by overlay address (containers included) and by tunnel key.
#pragma once

#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

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
  [[nodiscard]] const KnownNode* by_tunnel(const crypto::X25519Public& key);
  /// Pinned nodes are never evicted: peers of the tunnel.
  void pin(const NodeId& node, bool pinned);
  [[nodiscard]] std::vector<const KnownNode*> all() const;
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

 private:
  struct Entry {
    KnownNode known;
    bool pinned = false;
    std::list<NodeId>::iterator used;
  };
  void index(const Entry& entry, const NodeId& id);
  void unindex(const Entry& entry);
  const KnownNode* touch(const NodeId& id);
  void evict();

  std::size_t limit_;
  std::unordered_map<NodeId, Entry> nodes_;
  std::unordered_map<Ipv6, NodeId> by_address_;
  std::unordered_map<crypto::X25519Public, NodeId> by_tunnel_;
  std::list<NodeId> recent_;  // newest first
};

}  // namespace bonus::net::overlay
