// What a node holds for others: records, values and pointers at the keys of an epoch, and the tokens that a store must
// show.
#pragma once

#include <span>
#include <vector>

#include "bonus/net/kad/messages.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::kad {

struct Held {
  Hash32 key;  ///< key_at(): of one epoch.
  Bytes data;
  std::uint64_t sequence = 0;
  std::uint32_t until = 0;  ///< Seconds of the core's clock.
  DataKind kind = DataKind::kRecord;
  std::uint64_t from = 0;  ///< cap_prefix() of who stored it; 0: not counted.
};

class Store {
 public:
  /// Records and values share `limit`; pointers, which cost their owner nothing, have a share of their own.
  Store(std::size_t limit, std::size_t pointer_limit) : limit_(limit), pointer_limit_(pointer_limit) {}
  [[nodiscard]] const Held* find(const Hash32& key, std::uint32_t now) const;
  /// kConflict: an older sequence, or the same with other content, or a pointer where a record is. kExhausted: full,
  /// and all others are closer to `self` than this one; or much of it is used and a quarter of that by the same
  /// network.
  Result<> put(Held held, Position self, std::uint32_t now);
  void expire(std::uint32_t now);
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  [[nodiscard]] std::size_t pointers() const { return pointers_; }
  [[nodiscard]] std::size_t data_bytes() const;
  [[nodiscard]] std::span<const Held> all() const { return held_; }

 private:
  [[nodiscard]] Result<> make_room(const Held& held, Position self, std::uint32_t now);
  /// The farthest of what is of this kind and satisfies `which`.
  template <class Which>
  [[nodiscard]] std::vector<Held>::iterator farthest(bool pointer, Position self, const Which& which);
  std::size_t limit_, pointer_limit_;
  std::size_t pointers_ = 0;
  std::vector<Held> held_;  // ascending key
};

/// Proof that an endpoint receives what we send there: a keyed hash of key and endpoint, valid five to ten minutes.
class Tokens {
 public:
  explicit Tokens(runtime::Random& random) : random_(random) {}
  [[nodiscard]] std::uint64_t make(const crypto::X25519Public& key, const UdpEndpoint& endpoint, Instant now);
  [[nodiscard]] bool valid(std::uint64_t token, const crypto::X25519Public& key, const UdpEndpoint& endpoint,
                           Instant now);

 private:
  void rotate(Instant now);
  [[nodiscard]] static std::uint64_t compute(const std::array<std::uint8_t, 16>& secret,
                                             const crypto::X25519Public& key, const UdpEndpoint& endpoint);
  runtime::Random& random_;
  std::array<std::uint8_t, 16> current_{}, previous_{};
  Instant rotated_{};
  bool started_ = false;
};

}  // namespace bonus::net::kad
