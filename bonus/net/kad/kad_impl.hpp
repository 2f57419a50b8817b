// The inside of Kad, shared by kad.cpp (interface), kad_receive.cpp, kad_lookup.cpp and kad_maintain.cpp.
#pragma once

#include <deque>

#include "bonus/net/kad/flows.hpp"
#include "bonus/net/kad/kad.hpp"
#include "bonus/net/kad/own_pointers.hpp"
#include "bonus/net/kad/search.hpp"
#include "bonus/net/kad/store.hpp"
#include "bonus/net/kad/table.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::kad {

struct Kad::Impl {
  enum class Purpose : std::uint8_t { kLookup, kContact, kNear, kStore, kReach };
  struct Pending {
    std::uint64_t transaction = 0;
    crypto::X25519Public key;
    UdpEndpoint endpoint;
    Instant sent, soft, hard;
    Purpose purpose = Purpose::kContact;
    bool is_slow = false;
    bool forgiven = false;  // silence may mean that it does not know this kind of data yet
    LookupId lookup = 0;
    std::uint32_t step = 0;  // of the lookup's plan
    std::uint32_t path = 0, depth = 0;
    Position position = 0;     // kLookup: where it is said to stand
    Scope scope;               // kNear, kLookup
    std::optional<NodeId> id;  // kContact: who it has to be
  };
  struct Attempt {
    Scope scope;
    std::size_t paths = 1;
  };
  using SharedBytes = std::shared_ptr<const Bytes>;  // shared: one copy for all keys and lookups of a record
  struct Lookup {
    LookupId id = 0;
    LookupKind kind = LookupKind::kRecord;
    bool silent = false;   // our own upkeep: nobody waits for it
    bool placed = false;   // `target` is a position, not the key of an epoch
    bool widened = false;  // stored on more nodes
    bool fills = false;    // the first self-lookup: then all buckets are filled
    Hash32 key;
    std::vector<Attempt> plan;
    std::uint32_t step = 0;
    std::optional<Search> search;
    Hash32 target;
    Instant started, wait_until;
    Bytes best;
    DataKind best_kind = DataKind::kRecord;
    std::uint64_t best_sequence = 0;
    bool found = false, conflict = false;
    unsigned names = 0, named_hops = 0;
    std::optional<Instant> named_at;
    unsigned hops = 0, requests = 0;
    SharedBytes store;
    DataKind store_kind = DataKind::kRecord;
    [[nodiscard]] bool publishes(DataKind what) const { return store != nullptr && store_kind == what; }
    bool storing = false;
    std::size_t stores_waiting = 0, stored = 0;
    std::vector<Contact> nodes;
  };
  struct Publication {
    Hash32 key;
    DataKind kind = DataKind::kRecord;
    SharedBytes data;
    std::uint64_t sequence = 0;
    Instant due;
    Ed25519PublicKey proxied{};  ///< Published for this node; zero: our own.
    // Of the scope asked for last: a relay publishes a thousand, and every search looks through them.
    unsigned times = 0;  // published; the first ones follow each other quickly, while our table grows
    std::optional<Scope> cached_scope{};
    Hash32 cached_key{};
  };
  struct ToProbe {
    crypto::X25519Public key;
    UdpEndpoint endpoint;
    std::optional<NodeId> id;
  };

  Impl(Config config, runtime::Random& random, const Checker& checker, Instant now, UnixSeconds unix_now);

  // time
  [[nodiscard]] std::uint32_t seconds(Instant now) const;
  [[nodiscard]] UnixSeconds unix_at(Instant now) const;
  [[nodiscard]] std::uint64_t epoch_at(Instant now) const;
  void rotate_epochs(Instant now);
  void add_views(std::uint64_t epoch);
  [[nodiscard]] Hash32 beacon(std::uint64_t epoch) const;

  // tables
  [[nodiscard]] View* view(const Scope& scope) const;
  [[nodiscard]] const View& primary() const;
  [[nodiscard]] Position position_in(const View& view, IdentityPool::Id identity);
  [[nodiscard]] Hash32 key_in(const Scope& scope, const Hash32& key) const;
  [[nodiscard]] const Publication* published(const Scope& scope, const Hash32& at);
  [[nodiscard]] Position position_at(const Scope& scope, const Ed25519PublicKey& root) const;
  [[nodiscard]] bool usable(const UdpEndpoint& endpoint) const;
  void adopt(const crypto::X25519Public& key, const UdpEndpoint& endpoint, const Proof& proof, Duration rtt,
             const PackedCoordinate& coordinate, Instant now, Actions& actions);
  [[nodiscard]] bool stands_there(const Pending& pending, const std::optional<Proof>& proof);
  [[nodiscard]] bool useful(const Ed25519PublicKey& root, const UdpEndpoint& endpoint, Duration rtt) const;
  bool enter(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint,
             std::uint16_t rtt, const PackedCoordinate& coordinate, const Proof* proof, Instant now);
  void remove(ContactIndex contact);
  void failed(const crypto::X25519Public& key);
  [[nodiscard]] bool serves() const;
  [[nodiscard]] float estimate_ms(const Told& told) const;

  // sending
  [[nodiscard]] Message message(Type type, std::uint64_t transaction) const;
  void emit(const crypto::X25519Public& to, const UdpEndpoint& endpoint, Bytes payload, Actions& actions);
  enum class Sent : std::uint8_t { kYes, kWait, kNever };
  Sent request(Pending pending, Message message, std::size_t pad_to, bool maintenance, Instant now, Actions& actions);
  [[nodiscard]] Proof proof() const;

  // receiving
  Result<> receive(const crypto::X25519Public& from, const UdpEndpoint& endpoint, BytesView payload, Instant now,
                   Actions& actions);
  Result<> on_request(const Message& m, std::size_t size, const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                      Instant now, Actions& actions);
  Result<> on_answer(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint, Instant now,
                     Actions& actions);
  void answer_find(const Message& m, Message& reply, const crypto::X25519Public& from, Instant now);
  Result<> answer_store(const Message& m, const UdpEndpoint& endpoint, Instant now, Actions& actions);
  /// Whether one more request of a stranger is answered; in need each network has its own share.
  [[nodiscard]] bool stranger_allowed(const UdpEndpoint& endpoint, Instant now);
  Result<> on_reach(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint, Instant now,
                    Actions& actions);
  Result<> on_probe(const Message& m, const crypto::X25519Public& from, Instant now, Actions& actions);
  Result<> on_reached(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint, Instant now);
  void on_near(const Message& m, const Scope& scope, Instant now, Actions& actions);
  [[nodiscard]] Result<> check(DataKind kind, BytesView data, const Hash32& key, std::uint64_t& sequence,
                               UnixSeconds now) const;

  // lookups
  [[nodiscard]] Lookup* lookup(LookupId id);
  Lookup& new_lookup(const Hash32& key, LookupKind kind, Instant now);
  [[nodiscard]] std::vector<Attempt> plan_for(LookupKind kind) const;
  [[nodiscard]] bool local_answer(Lookup& lookup, Instant now);
  void start_step(Lookup& lookup, Instant now, Actions& actions);
  void pump(LookupId id, Instant now, Actions& actions);
  void step_done(Lookup& lookup, Instant now, Actions& actions);
  void store_all(Lookup& lookup, Instant now, Actions& actions);
  void found_data(Lookup& lookup, std::uint32_t path, const Message& m, const crypto::X25519Public& from, float rtt_ms,
                  unsigned depth, Instant now, Actions& actions);
  void name_it(Lookup& lookup, std::span<const Candidate> told, unsigned depth, Instant now, Actions& actions);
  void finish(LookupId id, Instant now, Actions& actions);
  LookupId publish(const Publication& publication, bool report, Instant now, Actions& actions);
  void search_position(const Scope& scope, Position target, bool fills, Instant now, Actions& actions);

  // upkeep
  void timer(Instant now, Actions& actions);
  [[nodiscard]] std::optional<Instant> next() const;
  void expire_pending(Instant now, Actions& actions);
  void probe(const ToProbe& one);
  void pump_probes(Instant now, Actions& actions);
  void refresh_bucket(View& view, unsigned bucket, Instant now, Actions& actions);
  void refresh_step(Instant now, Actions& actions);
  void check_contacts(Instant now, Actions& actions);
  void dial_back(Instant now, Actions& actions);
  void publish_pointers(Instant now, Actions& actions);
  [[nodiscard]] OwnPointers::Place pointer_place() const;

  Config config_;
  const Settings& settings_;
  runtime::Random& random_;
  const Checker& checker_;
  Instant start_;
  UnixSeconds unix_start_ = 0;
  std::shared_ptr<IdentityPool> pool_;  // shared: see Config
  Book book_;
  std::vector<std::unique_ptr<View>> views_;  // newest epoch first; of one epoch the global ring first
  std::array<std::uint64_t, kRings> ring_ids_{};
  Coordinate coordinate_;
  Flows flows_;
  Store store_;
  Tokens tokens_;
  Bucket strangers_, dials_;
  std::unique_ptr<PrefixLimiter> crowds_;  // made when strangers' requests become scarce: then by network
  Stats stats_;

  std::vector<Pending> pending_;
  std::vector<std::unique_ptr<Lookup>> lookups_;
  LookupId last_lookup_ = 0;
  std::vector<Publication> publications_;
  OwnPointers own_pointers_;
  std::vector<ToProbe> probes_;
  std::vector<ToProbe> seeds_;
  std::vector<Contact> visitors_;  // the last strangers that asked us: helpers for dial-back

  Instant next_settle_, next_seeds_{}, next_refresh_, next_check_, next_expire_, next_dial_, next_epoch_;
  std::optional<Instant> probes_wait_;
  std::uint32_t refresh_cursor_ = 0, refresh_left_ = 0;  // left: steps of a hurried cycle
  unsigned settle_left_ = 0;                             // searches for our own place that still follow a join
  bool filled_ = false;                                  // the first self-lookup was started
  bool reachable_ = false;
  bool old_first_ = false;  // first half of the overlap of epochs
  std::uint64_t dial_nonce_ = 0;
  crypto::X25519Public dial_helper_;
  unsigned dial_rounds_ = 0;  // without an answer
};

}  // namespace bonus::net::kad
