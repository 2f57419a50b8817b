// How many unanswered packets may be sent to an address that has not answered yet: nobody can make us flood a stranger.
#pragma once

#include <unordered_map>

#include "bonus/base/time.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::nat {

/// On whose word an address is probed.
enum class Word : std::uint8_t {
  kReflexive,  ///< A datagram of the peer came from there; only answered, not probed, until it is confirmed.
  kThird,      ///< A rendezvous or an introduced peer says so: at most 5 packets a minute.
  kRecord,     ///< The peer's own signed record: at most 8 in 5 seconds.
  kChannel,    ///< A relay channel, opened with both ends' signatures.
};

/// Counts per IP address, so that ports do not multiply. What others say has a table of its own: whoever fills that one
/// keeps nobody from what we want ourselves. Not thread-safe.
class ProbeBudget {
 public:
  /// Takes one packet to `address`.
  [[nodiscard]] bool take(const Ipv6& address, Word word, Instant now) {
    if (word == Word::kChannel) return true;
    if (word == Word::kReflexive) return false;
    // Somebody there speaks our protocol: other nodes behind the same router are allowed more.
    const auto found = verified_.find(address);
    const bool verified = found != verified_.end() && found->second > now;
    if (word == Word::kThird) return count(third_, address, kThirdWindow, verified ? kVerified : kThird, now);
    return count(record_, address, kRecordWindow, verified ? kVerified : kRecord, now);
  }
  /// An authenticated fresh answer came from there.
  void verified(const Ipv6& address, Instant now) {
    const auto over = [&](const auto& entry) { return entry.second <= now; };
    if (verified_.contains(address) || room(verified_, verified_purged_, over, now))
      verified_[address] = now + kVerifiedFor;
  }

  static constexpr int kThird = 5, kRecord = 8, kVerified = 64;
  static constexpr Duration kThirdWindow = std::chrono::seconds(60), kRecordWindow = std::chrono::seconds(5),
                            kVerifiedFor = std::chrono::seconds(120);

 private:
  static constexpr std::size_t kMaxEntries = 8192;
  struct Count {
    Instant since;
    int packets = 0;
  };
  struct Counts {
    std::unordered_map<Ipv6, Count> of;
    Instant purged;
  };
  /// Looks through a full table once a second, not with every packet.
  template <class Map, class Over>
  static bool room(Map& map, Instant& purged, const Over& over, Instant now) {
    if (map.size() >= kMaxEntries && (purged == Instant{} || purged + std::chrono::seconds(1) <= now)) {
      purged = now;
      std::erase_if(map, over);
    }
    return map.size() < kMaxEntries;
  }
  static bool count(Counts& counts, const Ipv6& address, Duration window, int limit, Instant now) {
    const auto over = [&](const auto& entry) { return entry.second.since + window <= now; };
    if (!counts.of.contains(address) && !room(counts.of, counts.purged, over, now)) return false;
    Count& entry = counts.of.try_emplace(address, Count{now}).first->second;
    if (entry.since + window <= now) entry = {now};
    return entry.packets++ < limit;
  }
  Counts third_, record_;
  std::unordered_map<Ipv6, Instant> verified_;  // until
  Instant verified_purged_;
};

}  // namespace bonus::net::nat
