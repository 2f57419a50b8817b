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

/// Counts per IP address, so that ports do not multiply. Not thread-safe.
class ProbeBudget {
 public:
  /// Takes one packet to `address`.
  [[nodiscard]] bool take(const Ipv6& address, Word word, Instant now) {
    if (word == Word::kChannel) return true;
    if (word == Word::kReflexive) return false;
    if (entries_.size() >= kMaxEntries && !entries_.contains(address)) {
      std::erase_if(entries_, [&](const auto& entry) {
        return entry.second.since + kThirdWindow < now && entry.second.verified_until < now;
      });
      if (entries_.size() >= kMaxEntries) return false;
    }
    Entry& entry = entries_[address];
    if (entry.since == Instant{} || entry.since + kThirdWindow <= now) {
      entry.since = now;
      entry.third = 0;
    }
    if (entry.record_since == Instant{} || entry.record_since + kRecordWindow <= now) {
      entry.record_since = now;
      entry.record = 0;
    }
    // Somebody there speaks our protocol: other nodes behind the same router are allowed more.
    const bool verified = entry.verified_until > now;
    if (word == Word::kThird) return verified ? entry.third++ < kVerified : entry.third++ < kThird;
    return verified ? entry.record++ < kVerified : entry.record++ < kRecord;
  }
  /// An authenticated fresh answer came from there.
  void verified(const Ipv6& address, Instant now) {
    if (entries_.size() >= kMaxEntries && !entries_.contains(address)) return;
    entries_[address].verified_until = now + kVerifiedFor;
  }

  static constexpr int kThird = 5, kRecord = 8, kVerified = 64;
  static constexpr Duration kThirdWindow = std::chrono::seconds(60), kRecordWindow = std::chrono::seconds(5),
                            kVerifiedFor = std::chrono::seconds(120);

 private:
  static constexpr std::size_t kMaxEntries = 8192;
  struct Entry {
    Instant since, record_since, verified_until;
    int third = 0, record = 0;
  };
  std::unordered_map<Ipv6, Entry> entries_;
};

}  // namespace bonus::net::nat
