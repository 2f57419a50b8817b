// Routing tables: the contacts of a node (Book) and where they stand for one epoch and ring (View).
#pragma once

#include <span>

#include "bonus/net/kad/identity.hpp"
#include "bonus/net/kad/messages.hpp"

namespace bonus::net::kad {

/// What the caps count: the /24 of an IPv4 address, the /48 of an IPv6 one.
[[nodiscard]] std::uint64_t cap_prefix(const Ipv6& address);

using ContactIndex = std::uint16_t;
inline constexpr ContactIndex kNoContact = UINT16_MAX;

/// What we know of a contact ourselves. Small: a table holds some 250 of them.
struct ContactState {
  static constexpr std::uint32_t kFree = UINT32_MAX;
  std::uint32_t identity = kFree;
  std::uint16_t since = 0;    ///< In steps of 10 minutes of the core's clock.
  std::uint16_t heard = 0;    ///< In steps of 4 seconds; wraps after three days, but who is silent so long is gone.
  std::uint16_t rtt = 0;      ///< 1/16 ms, at most 4 s; 0 unknown.
  std::int16_t x = 0, y = 0;  ///< As PackedCoordinate.
  std::uint16_t height = 0;
  std::uint16_t tag = 0;  ///< Of the key: spares a look at most identities.
  std::uint8_t views = 0;
  std::uint8_t failures = 0;  ///< In a row.

  void hear(std::uint32_t now) { heard = static_cast<std::uint16_t>(now / 4); }
  [[nodiscard]] std::uint32_t silent_for(std::uint32_t now) const {
    return 4u * static_cast<std::uint16_t>(now / 4 - heard);
  }
  void known_from(std::uint32_t now) { since = static_cast<std::uint16_t>(std::min(now / 600, 0xffffu)); }
  [[nodiscard]] std::uint32_t known_for(std::uint32_t now) const { return now - std::min(now, since * 600u); }
};
static_assert(sizeof(ContactState) == 20);

class Book {
 public:
  Book(IdentityPool& pool, std::size_t limit) : pool_(pool), limit_(limit) {}
  ~Book();
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;

  [[nodiscard]] ContactIndex find(const crypto::X25519Public& key) const;
  /// kNoContact: full. A contact that no view takes must be dropped again with drop_unused().
  ContactIndex add(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint,
                   std::uint32_t now);
  void drop_unused(ContactIndex contact);
  void move(ContactIndex contact, const UdpEndpoint& endpoint);
  void add_view(ContactIndex contact) { ++contacts_[contact].views; }
  /// Gives the contact up when no view holds it any more.
  void remove_view(ContactIndex contact);

  [[nodiscard]] ContactState& operator[](ContactIndex contact) { return contacts_[contact]; }
  [[nodiscard]] const ContactState& operator[](ContactIndex contact) const { return contacts_[contact]; }
  [[nodiscard]] const Identity& identity(ContactIndex contact) const { return pool_[contacts_[contact].identity]; }
  [[nodiscard]] IdentityPool& pool() const { return pool_; }
  [[nodiscard]] Told told(ContactIndex contact, Position position) const;
  [[nodiscard]] std::size_t slots() const { return contacts_.size(); }
  [[nodiscard]] bool used(ContactIndex contact) const { return contacts_[contact].identity != ContactState::kFree; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const { return contacts_.capacity() * sizeof(ContactState); }
  void measured(ContactIndex contact, Duration rtt);

 private:
  IdentityPool& pool_;
  std::size_t limit_, size_ = 0;
  std::vector<ContactState> contacts_;
};
[[nodiscard]] std::uint16_t pack_rtt(Duration rtt);
[[nodiscard]] Duration unpack_rtt(std::uint16_t rtt);

/// Buckets of 8 near and 8 oldest-live slots and the 32 closest siblings, for one epoch and ring.
class View {
 public:
  enum class Role : std::uint8_t { kNone = 0, kNear = 1, kOld = 2 };  // kNone: a sibling only
  struct Entry {
    std::uint32_t high = 0, low = 0;  // two halves: an entry has 12 bytes
    ContactIndex contact = kNoContact;
    Role role = Role::kNone;
    [[nodiscard]] Position position() const { return Position{high} << 32 | low; }
  };
  View(Scope scope, Position self, const Settings& settings) : scope_(scope), self_(self), settings_(settings) {}

  [[nodiscard]] const Scope& scope() const { return scope_; }
  [[nodiscard]] Position self() const { return self_; }
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  [[nodiscard]] unsigned bucket_of(Position position) const;
  /// Whether a contact would be taken; `rtt` 0: not known yet.
  [[nodiscard]] bool wants(const Book& book, Position position, const UdpEndpoint& endpoint, std::uint16_t rtt) const;
  /// Takes the contact into a bucket slot, the siblings or both; may push another one out.
  bool insert(Book& book, ContactIndex contact, Position position);
  void remove(Book& book, ContactIndex contact);
  void clear(Book& book);
  [[nodiscard]] bool contains(Position position) const;
  /// By XOR distance to `target`, at most `per_prefix` of one prefix, none that fails to answer.
  void closest(const Book& book, Position target, std::size_t count, std::size_t per_prefix,
               std::vector<Entry>& out) const;
  /// Lowest RTT first, of those whose first `bits` bits are those of `target`.
  void nearest(const Book& book, Position target, unsigned bits, std::size_t count, std::size_t per_prefix,
               std::vector<Entry>& out) const;
  [[nodiscard]] bool is_sibling(std::size_t index) const { return index < kSiblings; }
  /// From the density of siblings, with ourselves.
  [[nodiscard]] double nodes_estimate() const;
  /// Entries of one bucket: [first, last).
  [[nodiscard]] std::pair<std::size_t, std::size_t> bucket(unsigned b) const;
  [[nodiscard]] unsigned deepest_bucket() const;
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof *this + entries_.capacity() * sizeof(Entry); }
  [[nodiscard]] std::uint64_t replacements() const { return replacements_; }

 private:
  struct Choice {
    Role role = Role::kNone;
    std::size_t victim = SIZE_MAX;  // index of the entry that loses its slot
  };
  [[nodiscard]] Choice choose(const Book& book, Position position, const UdpEndpoint& endpoint,
                              std::uint16_t rtt) const;
  [[nodiscard]] bool becomes_sibling(Position position) const;
  [[nodiscard]] std::size_t lower_bound(Position distance) const;
  void erase(Book& book, std::size_t index);
  void refill(Book& book, unsigned bucket);

  Scope scope_;
  Position self_;
  const Settings& settings_;
  std::vector<Entry> entries_;  // ascending distance to self_: the first 32 are the siblings
  std::uint64_t replacements_ = 0;
};

}  // namespace bonus::net::kad
