// IPv4 addresses that an exit gives to containers, and the messages of "exit.attach" (docs/formats/node_services.md).
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::node {

/// A container that is to reach the Internet: its id as in its node's record, and the address that it has had.
struct ExitWish {
  Bytes id;
  std::optional<net::Ipv6> ipv4{};  ///< Mapped.
};

/// At most kMaxRecordContainers wishes. kInvalid for anything that is not such a message.
[[nodiscard]] Bytes encode_exit_request(const std::vector<ExitWish>& wishes);
[[nodiscard]] Result<std::vector<ExitWish>> decode_exit_request(BytesView message);
/// The addresses, in the order of the wishes.
[[nodiscard]] Bytes encode_exit_reply(const std::vector<net::Ipv6>& given);
[[nodiscard]] Result<std::vector<net::Ipv6>> decode_exit_reply(BytesView message);

/// Who has which address. No clock, not thread-safe.
class ExitPool {
 public:
  struct Guest {
    net::Ipv6 address, ipv4;
    std::optional<Instant> until{};  ///< Nothing: until it is released.
  };
  using Key = std::pair<NodeId, Bytes>;  ///< Whose container, and its id.

  /// `pool`: an IPv4 network of at most /8 and at least /30; its first and last addresses are given to nobody.
  explicit ExitPool(net::Prefix pool) : pool_(pool) {}

  /// An address for each wish: the one that the container has, else the one it wishes for if that is free, else the
  /// lowest free one. `root`: of the node, which its containers' overlay addresses follow from. kExhausted: the pool,
  /// or more containers of one node than a record names; nothing is changed then.
  [[nodiscard]] Result<std::vector<net::Ipv6>> give(const Ed25519PublicKey& root, const NodeId& node,
                                                    const std::vector<ExitWish>& wishes, std::optional<Instant> until);
  void release(const NodeId& node, const Bytes& id) { guests_.erase({node, id}); }
  /// Forgets those whose time has come; whether there were any.
  bool expire(Instant now);
  [[nodiscard]] const std::map<Key, Guest>& guests() const { return guests_; }

 private:
  [[nodiscard]] bool usable(const net::Ipv6& ipv4) const;
  net::Prefix pool_;
  std::map<Key, Guest> guests_;
};

}  // namespace bonus::node
