// Answers that the node gives itself: .bonus, the reverse tree of the overlay, special-use names. Pure: what must be
// asked of others comes in as facts; a missing one is named and the evaluation starts again when it is there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/message.hpp"

namespace bonus::net::dns {

inline constexpr std::uint32_t kNodeTtlS = 86400;   ///< A node's address never changes.
inline constexpr std::uint32_t kNegativeTtlS = 30;  ///< SOA minimum: how long "does not exist" is believed.
inline constexpr int kMaxAliasHops = 8;
inline constexpr std::size_t kMaxReverseCandidates = 8;

struct FactKey {
  Lookup::Kind kind = Lookup::Kind::kRegistered;
  std::string label;        ///< kRegistered, kLeaseByName.
  std::uint64_t lease = 0;  ///< kLeaseById.
  Ipv6 address;             ///< kReverse.
  /// One string for maps.
  [[nodiscard]] std::string text() const;
};

/// What a NameSource said.
struct Fact {
  std::optional<Error> error;
  NameZone zone;
  std::vector<std::string> names;
};
/// Brings foreign values into the bounds of source.hpp.
[[nodiscard]] Fact make_fact(Result<NameZone> zone);
[[nodiscard]] Fact make_fact(Result<std::vector<std::string>> names);
/// For the cache's accounting.
[[nodiscard]] std::size_t fact_bytes(const Fact& fact);

struct FactView {
  const Fact* fact = nullptr;  ///< Null: unknown.
  std::uint32_t age_s = 0;     ///< To be taken off the TTLs.
};
using FactFinder = std::function<FactView(const FactKey&)>;

struct LocalAnswer {
  std::optional<FactKey> needs;  ///< Ask this first; the rest means nothing then.
  std::uint16_t rcode = rcode::kNoError;
  std::vector<Record> answers, authority, additional;
};

/// True for names that never go to an upstream: .bonus, d.f.ip6.arpa, "localhost", "invalid", "local", "onion"
/// (RFC 6761, 6762, 7686), the reverse names of the loopback addresses.
[[nodiscard]] bool is_local(const Name& name);
/// `question` must be local and of class IN.
[[nodiscard]] LocalAnswer answer_local(const Question& question, const Ipv6& own_address, const FactFinder& facts);

}  // namespace bonus::net::dns
