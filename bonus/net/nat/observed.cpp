// Agreement of observed addresses.
#include "bonus/net/nat/observed.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "bonus/net/record/sealed.hpp"

namespace bonus::net::nat {
namespace {
constexpr std::size_t kMaxWords = 64, kMaxCrowd = 8;
constexpr auto kLife = std::chrono::minutes(10);
}  // namespace

void Observer::set_local(std::vector<PathManager::LocalAddress> addresses, std::uint16_t port) {
  local_ = std::move(addresses);
  port_ = port;
}

void Observer::add(const crypto::X25519Public& peer, const Ipv6& from, const UdpEndpoint& seen, Instant now) {
  if (!seen.valid() || is_overlay(seen.address)) return;
  // From inside the same network an address says nothing about the router, unless it is one of our own.
  if (same_lan(from) && !is_own(seen)) return;
  const Ipv6 network = rate_prefix(from);
  if (!words_.contains(peer)) {
    // A crowd in one network counts once: it takes the places of its own, not those of others.
    const auto crowd = std::ranges::count(words_, network, [](const auto& entry) { return entry.second.network; });
    const auto evict = [&](auto which) {
      auto oldest = words_.end();
      for (auto it = words_.begin(); it != words_.end(); ++it)
        if (which(it->second) && (oldest == words_.end() || it->second.at < oldest->second.at)) oldest = it;
      if (oldest != words_.end()) words_.erase(oldest);
    };
    if (static_cast<std::size_t>(crowd) >= kMaxCrowd) {
      evict([&](const Word& word) { return word.network == network; });
    } else if (words_.size() >= kMaxWords) {
      evict([](const Word&) { return true; });
    }
  }
  words_[peer] = {network, seen, now};
}

void Observer::expire(Instant now) {
  std::erase_if(words_, [&](const auto& entry) { return entry.second.at + kLife <= now; });
}

std::vector<UdpEndpoint> Observer::agreed() const {
  std::map<UdpEndpoint, std::set<Ipv6>> voters;
  for (const auto& [peer, word] : words_) voters[word.seen].insert(word.network);
  std::vector<std::pair<std::size_t, UdpEndpoint>> ranked;
  for (const auto& [endpoint, from] : voters)
    if (from.size() >= 2) ranked.emplace_back(from.size(), endpoint);
  std::ranges::sort(ranked, std::greater<>(), &std::pair<std::size_t, UdpEndpoint>::first);
  std::vector<UdpEndpoint> out;
  for (const auto& entry : ranked) out.push_back(entry.second);
  return out;
}

NatKind Observer::kind() const {
  std::map<Ipv6, std::map<std::uint16_t, std::set<Ipv6>>> seen;  // our address -> port -> who saw it
  std::map<Ipv6, std::set<Ipv6>> voters;
  for (const auto& [peer, word] : words_) {
    if (is_own(word.seen)) return NatKind::kOpen;
    seen[word.seen.address][word.seen.port].insert(word.network);
    voters[word.seen.address].insert(word.network);
  }
  NatKind out = NatKind::kUnknown;
  for (const auto& [address, ports] : seen) {
    if (voters[address].size() < 2) continue;
    // Another port for nearly every peer. A single different word may be old: the mapping was lost and made again.
    if (ports.size() > 1 && ports.size() * 2 > voters[address].size()) return NatKind::kSymmetric;
    out = NatKind::kCone;
  }
  return out;
}

bool Observer::same_lan(const Ipv6& address) const {
  return std::ranges::any_of(
      local_, [&](const auto& own) { return own.bits < 128 && Prefix{own.address, own.bits}.contains(address); });
}

bool Observer::is_own(const UdpEndpoint& endpoint) const {
  return endpoint.port == port_ &&
         std::ranges::any_of(local_, [&](const auto& own) { return own.address == endpoint.address; });
}

}  // namespace bonus::net::nat
