// Sets of prefixes.
#include "bonus/net/host/prefixes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace bonus::net::host {

Ipv6 mapped_ipv4(const std::array<std::uint8_t, 4>& bytes) {
  Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  std::ranges::copy(bytes, out.bytes.begin() + 12);
  return out;
}

Prefix masked(Prefix prefix) {
  for (std::size_t bit = prefix.bits; bit < 128; ++bit)
    prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return prefix;
}

const std::vector<Prefix>& private_prefixes() {
  static const std::vector<Prefix> kAll = [] {
    std::vector<Prefix> out;
    const auto add = [&](std::array<std::uint8_t, 4> bytes, int bits) {
      out.push_back(Prefix{.address = mapped_ipv4(bytes), .bits = static_cast<std::uint8_t>(96 + bits)});
    };
    add({0, 0, 0, 0}, 8);
    add({10, 0, 0, 0}, 8);
    add({100, 64, 0, 0}, 10);
    add({127, 0, 0, 0}, 8);
    add({169, 254, 0, 0}, 16);
    add({172, 16, 0, 0}, 12);
    add({192, 168, 0, 0}, 16);
    add({224, 0, 0, 0}, 3);                         // multicast, reserved, broadcast
    Prefix six_to_four{.address = {}, .bits = 16};  // 2002::/16 carries IPv4 addresses (RFC 3056)
    six_to_four.address.bytes[0] = 0x20;
    six_to_four.address.bytes[1] = 0x02;
    out.push_back(six_to_four);
    return out;
  }();
  return kAll;
}

std::string nft_set(const std::vector<Prefix>& prefixes, bool ipv4) {
  std::vector<Prefix> sorted;
  for (const auto& prefix : prefixes)
    if (is_ipv4(prefix.address) == ipv4 && (!ipv4 || prefix.bits >= 96)) sorted.push_back(masked(prefix));
  // Shorter prefixes first: whatever they contain comes later.
  std::ranges::sort(sorted, [](const Prefix& a, const Prefix& b) {
    return a.bits != b.bits ? a.bits < b.bits : a.address < b.address;
  });
  std::vector<Prefix> kept;
  for (const auto& prefix : sorted)
    if (std::ranges::none_of(kept, [&](const Prefix& other) { return other.contains(prefix.address); }))
      kept.push_back(prefix);
  if (kept.empty()) return "";
  std::vector<std::string> texts;
  for (const auto& prefix : kept) texts.push_back(to_string(prefix));
  return fmt::format("{{ {} }}", fmt::join(texts, ", "));
}

}  // namespace bonus::net::host
