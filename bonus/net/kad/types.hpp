// What the DHT's core is told, asks for and shows: configuration, actions, diagnostics (docs/formats/net_dht.md).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/net/kad/value.hpp"
#include "bonus/net/record/record.hpp"

namespace bonus::net::kad {

class IdentityPool;

/// Where a node stands for one epoch: the first 64 bits of the key of its own address (position_of()). XOR is distance.
using Position = std::uint64_t;

/// Rings of physical distance (design "Rings"). The global one is authoritative; the others only shorten searches.
enum class Ring : std::uint8_t { kGlobal = 0, kCountry = 1, kMetro = 2 };
inline constexpr std::size_t kRings = 3;
/// The most that a member of the ring may be away, as we measure it ourselves.
inline constexpr Duration kCountryRtt = std::chrono::milliseconds(80), kMetroRtt = std::chrono::milliseconds(20);

/// What a valid record says, as far as the DHT cares.
struct RecordFacts {
  Ed25519PublicKey root;
  crypto::X25519Public tunnel;
  std::vector<Hash32> keys;  ///< address_key() of its own address and of its containers.
  std::uint64_t sequence = 0;
  UnixSeconds expires = 0;
};

/// Checks what others signed. Production: record_checker(). A simulation may put cheap marks in the place of
/// signatures; nothing else differs.
class Checker {
 public:
  virtual ~Checker() = default;
  [[nodiscard]] virtual Result<RecordFacts> record(BytesView encoded, UnixSeconds now) const = 0;
  [[nodiscard]] virtual bool certificate(const Ed25519PublicKey& root, const TunnelCertificate& certificate,
                                         UnixSeconds now) const = 0;
  [[nodiscard]] virtual Result<SignedValue> value(BytesView encoded) const = 0;
  /// position_of(). A simulation of attackers who ground their keys states the outcome instead of grinding.
  [[nodiscard]] virtual Position position(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon,
                                          Ring ring, std::uint64_t ring_id) const;
};
/// open_record(), Ed25519 and open_value(). Thread-safe, lives for the whole program.
[[nodiscard]] const Checker& record_checker();

struct Limits {
  std::size_t per_prefix_bucket = 1;  ///< Contacts of one /24 (IPv6: /48) in a bucket; siblings are capped in replies.
  std::size_t per_asn_bucket = 2, per_asn_table = 10;     ///< Of one autonomous system, where `asn_of` knows it.
  std::size_t per_prefix_lookup = 2;                      ///< Of one prefix, asked in one lookup, named in one reply.
  std::size_t lookups = 64;                               ///< Under way; more are refused (kExhausted).
  std::size_t pending = 256;                              ///< Requests without an answer.
  std::size_t records = 4096;                             ///< Held for others; the farthest from us goes first.
  std::size_t pointers = 4096;                            ///< The same of address pointers: a share of their own.
  std::size_t contacts = 1024;                            ///< Known at once, all tables together.
  double new_flows_per_second = 20, new_flow_burst = 40;  ///< Endpoints we begin to talk to.
  std::size_t live_flows = 200;                           ///< Endpoints we talked to within `flow_memory`.
  double requests_per_second = 200, request_burst = 400;  ///< Answered, for all strangers together.
};
/// For a devnet or a LAN, where all nodes share one prefix: everything else stays.
[[nodiscard]] Limits without_prefix_caps(Limits limits);

struct Periods {
  Duration refresh = std::chrono::minutes(10);    ///< Each bucket is looked at once in this time.
  Duration probe = std::chrono::minutes(5);       ///< A contact not heard for this long is pinged.
  Duration republish = std::chrono::minutes(20);  ///< Own record and values are stored again.
  Duration record_life = std::chrono::hours(2);   ///< A stored record is forgotten, unless stored again.
  Duration epoch = std::chrono::hours(24);        ///< Positions move.
  Duration overlap = std::chrono::hours(1);       ///< The old positions still answer; searched first in its first half.
  Duration flow_memory = std::chrono::seconds(30);
  Duration dial_back = std::chrono::minutes(30);  ///< Reachability is proven again.
};

enum class Policy : std::uint8_t {
  kNear,    ///< 8 near slots and 8 oldest-live, RTT first in the early phase: the design.
  kRandom,  ///< 16 slots first come first served, strict XOR: the ablation that figures are compared with.
};

/// Shared by all nodes of one process. Callbacks may be empty.
struct Settings {
  Limits limits;
  Periods periods;
  Policy policy = Policy::kNear;
  bool allow_private = false;     ///< Loopback and private endpoints are contacts like others (devnet, LAN).
  bool assume_reachable = false;  ///< No dial-back before serving (a configured public address).
  std::function<Hash32(std::uint64_t epoch)> beacon;         ///< Zero when empty.
  std::function<std::uint32_t(const Ipv6& address)> asn_of;  ///< 0: unknown, not capped.
  /// Whether prefix data and witnesses say that an address belongs to the ring; our own RTT is checked besides.
  std::function<bool(Ring ring, std::uint64_t ring_id, const UdpEndpoint& endpoint)> admits;
};

struct Config {
  std::shared_ptr<const Settings> settings;  // shared: one for all simulated nodes
  Ed25519PublicKey root;
  TunnelCertificate certificate;  ///< Of our tunnel key; shown to who asks.
  bool serves_dht = true;         ///< False: a client for ever (phones). True: once dial-back has proven us reachable.
  std::string country, metro;     ///< Labels of rings 1 and 2 ("DE", "berlin/as3320"); empty: not a member.
  std::shared_ptr<IdentityPool> pool;  // shared: simulated nodes keep keys of contacts once; empty: its own
};

struct Contact {
  crypto::X25519Public key;
  UdpEndpoint endpoint;
};

using LookupId = std::uint64_t;
enum class LookupKind : std::uint8_t {
  kRecord,  ///< A node record: certifies itself, so one path of 3 at a time; 8 disjoint paths after a miss.
  kValue,   ///< A signed value: 4 disjoint paths, 8 on conflict or miss; the highest sequence wins.
  kNodes,   ///< The 16 nodes closest to the key.
};

struct Send {
  crypto::X25519Public to;
  UdpEndpoint endpoint;
  Bytes payload;  ///< To be sealed as DatagramKind::kDht; fits kMaxDatagram.
};
struct LookupDone {
  LookupId id = 0;
  LookupKind kind = LookupKind::kRecord;
  Hash32 key;  ///< As given, before epochs.
  bool found = false;
  Bytes data;                  ///< The record or the encoded value; of an address also its pointer.
  bool pointer = false;        ///< `data` is an AddressPointer to the node whose record is to be looked up.
  std::vector<Contact> nodes;  ///< Closest first: kNodes, and where a put was stored.
  unsigned hops = 0;           ///< Depth of the node that answered; 0: it was here already.
  unsigned requests = 0;
  std::size_t stored = 0;    ///< Of a put: nodes that accepted.
  unsigned named_hops = 0;   ///< Depth of who first named the node looked for, or gave the record.
  Duration named{}, took{};  ///< From the start: until it was named, until the end.
};
/// Somebody says that the address being looked up is this node. Nothing is proven yet, but a handshake may be begun:
/// the record that follows, or does not, decides. At most three for each lookup.
struct Named {
  LookupId id = 0;
  Contact node;
};
/// A valid record passed by (in an answer or a store): the path manager and caches may use it.
struct RecordLearned {
  Bytes record;
};
/// A peer says where it sees us.
struct Observed {
  crypto::X25519Public by;
  UdpEndpoint us;
};
struct Actions {
  std::vector<Send> sends;
  std::vector<LookupDone> done;
  std::vector<Named> named;
  std::vector<RecordLearned> learned;
  std::vector<Observed> observed;
  [[nodiscard]] bool empty() const {
    return sends.empty() && done.empty() && named.empty() && learned.empty() && observed.empty();
  }
};

/// 2-D Vivaldi with height (Dabek et al. 2004), milliseconds: an ordering hint, never a proof.
struct Coordinate {
  float x = 0, y = 0, height = 1, error = 1;
};

enum class Slot : std::uint8_t { kNear, kOld, kSibling };
struct TableEntry {
  crypto::X25519Public key;
  Ed25519PublicKey root;
  UdpEndpoint endpoint;
  Ring ring = Ring::kGlobal;
  std::uint64_t epoch = 0;
  Position position = 0;
  unsigned bucket = 0;  ///< Shared leading bits with our position.
  Slot slot = Slot::kOld;
  bool sibling = false;
  Duration rtt{};  ///< Lowest measured lately; 0 unknown.
  Coordinate coordinate;
  Duration known_for{}, silent_for{};
  unsigned failures = 0;
};

struct Status {
  std::uint64_t epoch = 0;
  Position position = 0;
  bool serves = false;                                                     ///< Others may put us into their tables.
  bool reachable = false;                                                  ///< Proven by dial-back, or assumed.
  std::size_t contacts = 0, siblings = 0, near = 0, old = 0, buckets = 0;  ///< Of the global table.
  std::size_t country = 0, metro = 0;                                      ///< Contacts of the rings.
  std::size_t records = 0, lookups = 0, pending = 0, flows = 0;            ///< `records`: values and pointers too.
  std::size_t pointers = 0;                                                ///< Of those held.
  std::size_t own_pointers = 0;                                            ///< That we publish.
  double nodes_estimate = 1;                                               ///< From the density of siblings.
  Coordinate coordinate;
  Duration near_rtt{};             ///< Mean over near slots.
  std::size_t memory_bytes = 0;    ///< All that this object holds, capacities counted, without identities and records.
  std::size_t identity_bytes = 0;  ///< Keys and endpoints of its contacts as if not shared.
  std::size_t record_bytes = 0;    ///< Records and values held for others.
};

struct Stats {
  std::uint64_t received = 0, sent = 0, bytes_received = 0, bytes_sent = 0;  ///< Payloads.
  std::uint64_t malformed = 0, refused = 0;  ///< Not decodable; against a rule (token, limit, forged, older).
  std::uint64_t timeouts = 0, lookups = 0, lookups_found = 0, stores_accepted = 0, replacements = 0;
  std::uint64_t flow_waits = 0;  ///< Requests that waited for a flow.
};

}  // namespace bonus::net::kad
