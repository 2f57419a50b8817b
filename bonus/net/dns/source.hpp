// What the DNS server asks others: names of the chain, leases, reverse names; and sockets towards other DNS servers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bonus/net/api/address.hpp"

namespace bonus::net::dns {

/// Bounds of a NameZone; the server cuts or refuses what is beyond them, whoever the source is.
inline constexpr std::size_t kMaxZoneEntries = 64, kMaxEntryValues = 16, kMaxTextBytes = 1024;
inline constexpr std::size_t kMaxZoneBytes = 64 << 10;  ///< In memory.

struct ServiceRecord {  ///< RFC 2782.
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  ///< A .bonus name: "web.alice.bonus". Anything else is not served.
  friend bool operator==(const ServiceRecord&, const ServiceRecord&) = default;
};

/// Records of one owner name of a zone.
struct NameEntry {
  std::string sub;  ///< Labels before NAME.bonus, lower case: "" is NAME.bonus itself, "web", "_http._tcp".
  /// AAAA. Only fd00::/8 and 2000::/3 are served: a name cannot point at somebody's home network.
  std::vector<Ipv6> addresses;
  std::vector<std::string> texts;       ///< TXT; more than 255 bytes are split into several character-strings.
  std::vector<ServiceRecord> services;  ///< SRV.
  /// Another .bonus name, whose addresses are the answer. Answered as CNAME where the entry has nothing else, and by
  /// the addresses themselves where it has texts or services, beside which a CNAME must not stand (RFC 1034, 3.6.2).
  std::string alias;
  std::uint32_t ttl_s = 0;  ///< Of this entry, when it is shorter than the zone's; 0: the zone's.
  friend bool operator==(const NameEntry&, const NameEntry&) = default;
};

/// Everything below one label of .bonus. The source has verified it: the server trusts it and only checks its form.
struct NameZone {
  std::vector<NameEntry> entries;
  std::uint32_t ttl_s = 60;  ///< How long it may be cached and what is written into the answers; cut to [1, 3600].
};

/// Where local names come from. All calls are made on the server's strand and must not block; `done` may be called at
/// once or later, on any thread, also after the server is gone; only its first call counts. Errors: kNotFound is an
/// answer (NXDOMAIN, cached for a short time); everything else means "could not find out" (SERVFAIL). What is not
/// answered in 8 s counts as kTimeout.
class NameSource {
 public:
  using ZoneDone = std::function<void(Result<NameZone>)>;
  using NamesDone = std::function<void(Result<std::vector<std::string>>)>;
  virtual ~NameSource() = default;
  /// A registered name: "alice" for alice.bonus and everything below it. Expired and unregistered: kNotFound. Asked
  /// only for what chain::names::check_name() allows. chain_zone.hpp turns the contract's records into a zone.
  virtual void registered(const std::string& label, ZoneDone done) = 0;
  /// A lease by decimal id. Entry "" carries the container's address; "_http._tcp" etc. its ports, if wanted.
  virtual void lease_by_id(std::uint64_t id, ZoneDone done) = 0;
  /// A lease by its own name ("web", "order-7", "7"): asked only when no such name is registered, or none can be.
  virtual void lease_by_name(const std::string& label, ZoneDone done) = 0;
  /// Names that may belong to an overlay address, full ("alice.bonus", "<node label>.bonus", "lease-7.bonus"), best
  /// first. Hints: the server answers the first of the leading eight that resolves back to the address.
  virtual void reverse(const Ipv6& address, NamesDone done) = 0;
};

/// Sockets towards other DNS servers. In bonusd they come from the helper outside the namespace.
class Upstream {
 public:
  using SocketDone = std::function<void(Result<int>)>;
  virtual ~Upstream() = default;
  /// A new socket connected to `server`, from a source port that the kernel or the implementation picks at random
  /// (RFC 5452, section 9.2): SOCK_DGRAM, or SOCK_STREAM when `stream`. Ownership of the descriptor goes to `done`,
  /// which may be called at once or later, on any thread, once.
  virtual void connect(const UdpEndpoint& server, bool stream, SocketDone done) = 0;
};

}  // namespace bonus::net::dns
