// The DNS server without sockets: queries in, answers and questions to others out (docs/formats/net_names.md).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/net/dns/name.hpp"
#include "bonus/net/dns/source.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::dns {

/// What a source of queries may have.
enum class Access : std::uint8_t {
  kNone,   ///< REFUSED.
  kNames,  ///< .bonus and the reverse tree of the overlay.
  kAll,    ///< Also what is forwarded.
};

/// Split DNS: names at or below `suffix` go to `servers` instead of the general upstreams; the longest suffix wins.
struct ForwardZone {
  Name suffix;
  std::vector<UdpEndpoint> servers;
};

struct CoreConfig {
  Ipv6 own_address;  ///< Overlay address of this node: node.bonus, gateway.bonus and ns.bonus.
  /// Asked in order, failing over; at most 8. Empty: foreign names are answered with REFUSED.
  std::vector<UdpEndpoint> upstreams;
  std::vector<ForwardZone> zones;  ///< At most 32.
  /// Who may ask for what, by source address. Unset: loopback and the own address everything, others kNames.
  std::function<Access(const Ipv6& source)> access;
  /// Whose source address may well be forged. By UDP such a source gets at most twice the bytes of its question, then
  /// TC: a reflector that makes nothing larger is of no use. Unset: nobody.
  std::function<bool(const Ipv6& source)> may_be_forged;
  std::uint16_t udp_payload = 1232;         ///< Largest UDP answer (DNS Flag Day 2020) and what is told in EDNS.
  std::size_t cache_bytes = 4 << 20;        ///< Answers and zones together.
  std::size_t max_pending = 1024;           ///< Questions under way.
  std::size_t max_pending_per_source = 64;  ///< Of one source address.
  std::size_t max_exchanges = 256;          ///< Sockets to upstreams at one time.
  Duration upstream_timeout = std::chrono::milliseconds(1500);  ///< Of one attempt.
  Duration query_timeout = std::chrono::seconds(8);             ///< Of everything; then SERVFAIL.
};

/// Whom an answer goes to; the shell's own business, handed back as it came.
struct Client {
  Ipv6 address;             ///< For `access` and bounds.
  bool stream = false;      ///< TCP: no truncation.
  std::uint64_t token = 0;  ///< Names socket and peer for the shell.
};

struct Reply {
  Client client;
  Bytes message;
};
struct Lookup {  ///< Ask the NameSource; then on_zone() or on_names().
  enum class Kind : std::uint8_t { kRegistered, kLeaseById, kLeaseByName, kReverse };
  std::uint64_t id = 0;
  Kind kind = Kind::kRegistered;
  std::string label;
  std::uint64_t lease = 0;
  Ipv6 address;
};
struct OpenExchange {  ///< Send `message` to `server` over a new socket and hand in whatever comes: on_message().
  std::uint64_t id = 0;
  UdpEndpoint server;
  bool stream = false;
  Bytes message;
};
struct CloseExchange {
  std::uint64_t id = 0;
};
using Action = std::variant<Reply, Lookup, OpenExchange, CloseExchange>;
using Actions = std::vector<Action>;

struct Counters {
  std::uint64_t queries = 0, replies = 0, dropped = 0, malformed = 0, refused = 0, truncated = 0;
  std::uint64_t local = 0, forwarded = 0, nxdomain = 0, servfail = 0;
  std::uint64_t cache_hits = 0, cache_misses = 0, cache_evictions = 0;
  std::uint64_t upstream_sent = 0, upstream_timeouts = 0, upstream_mismatched = 0, upstream_tcp = 0;
  std::uint64_t rebinding_blocked = 0;  ///< Forwarded answers that named an overlay address.
  std::uint64_t overloaded = 0;         ///< Questions given up because of a bound.
};

/// Not thread-safe; one strand drives it. Every entry point appends to `out`.
class Core {
 public:
  Core(CoreConfig config, runtime::Random& random);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// Any bytes. At most one Reply follows, now or later.
  void on_query(const Client& client, BytesView query, Instant now, Actions& out);
  void on_zone(std::uint64_t lookup, Result<NameZone> zone, Instant now, Actions& out);
  void on_names(std::uint64_t lookup, Result<std::vector<std::string>> names, Instant now, Actions& out);
  /// One message of the exchange's socket (a datagram, or a TCP message without its length). Closes itself.
  void on_message(std::uint64_t exchange, BytesView message, Instant now, Actions& out);
  /// The socket could not be had or ended.
  void on_failure(std::uint64_t exchange, Instant now, Actions& out);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  void on_timer(Instant now, Actions& out);

  void set_upstreams(std::vector<UdpEndpoint> upstreams);
  /// Forgets what is cached about one registered or lease label, e.g. after the chain changed it.
  void forget(const std::string& label);
  void clear_cache();
  [[nodiscard]] const Counters& counters() const;
  [[nodiscard]] std::size_t pending() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::net::dns
