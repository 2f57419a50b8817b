// Names that follow from numbers: base32 of node ids and the reverse tree of addresses.
#include "bonus/net/dns/labels.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace bonus::net::dns {

namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648, section 6
constexpr std::string_view kIp6Arpa = ".ip6.arpa";

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

std::string node_label(const NodeId& id) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t byte : id.bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 5; count -= 5) out.push_back(kBase32[bits >> (count - 5) & 31]);
  }
  out.push_back(kBase32[bits << (5 - count) & 31]);
  return out;
}

std::optional<NodeId> parse_node_label(std::string_view label) {
  if (label.size() != kNodeLabelChars) return std::nullopt;
  NodeId out;
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t at = 0;
  for (const char c : label) {
    const std::size_t value = kBase32.find(lower_char(c));
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out.bytes[at++] = static_cast<std::uint8_t>(bits >> count);
  }
  if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return out;
}

std::string node_name(const NodeId& id) { return node_label(id) + ".bonus"; }

std::optional<std::uint64_t> parse_lease_label(std::string_view label) {
  constexpr std::string_view kPrefix = "lease-";
  if (!label.starts_with(kPrefix)) return std::nullopt;
  label.remove_prefix(kPrefix.size());
  if (label.empty() || (label.size() > 1 && label[0] == '0')) return std::nullopt;
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), id);
  if (error != std::errc() || end != label.data() + label.size()) return std::nullopt;
  return id;
}

bool is_host_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string reverse_name(const Ipv6& address) {
  const auto& b = address.bytes;
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), b.begin()))
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", b[15], b[14], b[13], b[12]);
  std::string out;
  for (std::size_t i = b.size(); i-- > 0;) out += fmt::format("{:x}.{:x}.", b[i] & 15, b[i] >> 4);
  return out + "ip6.arpa";
}

std::optional<Ipv6> parse_reverse_name(std::string_view name) {
  if (name.size() != 63 + kIp6Arpa.size()) return std::nullopt;
  for (std::size_t i = 0; i < kIp6Arpa.size(); ++i)
    if (lower_char(name[63 + i]) != kIp6Arpa[i]) return std::nullopt;
  Ipv6 out;
  for (std::size_t nibble = 0; nibble < 32; ++nibble) {
    const char c = lower_char(name[2 * nibble]);
    const std::size_t value = std::string_view("0123456789abcdef").find(c);
    if (value == std::string_view::npos || (nibble < 31 && name[2 * nibble + 1] != '.')) return std::nullopt;
    const std::size_t byte = 15 - nibble / 2;
    out.bytes[byte] = static_cast<std::uint8_t>(out.bytes[byte] | value << (nibble % 2 == 0 ? 0 : 4));
  }
  return out;
}

}  // namespace bonus::net::dns
