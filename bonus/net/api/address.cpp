// Text forms, special-purpose blocks and derived addresses.
#include "bonus/net/api/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "bonus/crypto/hash.hpp"

namespace bonus::net {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Ipv6 from_digest(const Hash32& digest) {
  Ipv6 out;
  out.bytes[0] = 0xfd;
  std::copy_n(digest.bytes.begin(), 15, out.bytes.begin() + 1);
  return out;
}

/// Clears the bits after the first `bits`.
Ipv6 masked(Ipv6 address, unsigned bits) {
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned keep = bits > i * 8 ? std::min(8u, bits - i * 8) : 0;
    address.bytes[i] &= static_cast<std::uint8_t>(0xff00u >> keep);
  }
  return address;
}

/// Special-purpose blocks of RFC 6890 and its updates that are not globally reachable.
const std::vector<Prefix>& special_blocks() {
  static const std::vector<Prefix> blocks = [] {
    std::vector<Prefix> out;
    for (const std::string_view text :
         {"0.0.0.0/8",    "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",  "172.16.0.0/12",
          "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
          "224.0.0.0/3",  "::/128",       "::1/128",        "64:ff9b::/96",  "100::/64",        "2001:db8::/32",
          "fc00::/7",     "fe80::/10",    "ff00::/8"})
      out.push_back(parse_prefix(text).value());
    return out;
  }();
  return blocks;
}

}  // namespace

std::string to_string(const Ipv6& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4(address))
    ::inet_ntop(AF_INET, address.bytes.data() + 12, text.data(), text.size());
  else
    ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  return text.data();
}

Result<Ipv6> parse_ip(std::string_view text) {
  const std::string copy(text.substr(0, 64));
  Ipv6 out;
  if (::inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  if (::inet_pton(AF_INET, copy.c_str(), out.bytes.data() + 12) == 1) {
    std::ranges::copy(kMappedPrefix, out.bytes.begin());
    return out;
  }
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not an IP address", copy));
}

bool is_ipv4(const Ipv6& address) { return std::ranges::equal(kMappedPrefix, std::span(address.bytes).first<12>()); }

bool is_global_unicast(const Ipv6& address) {
  return std::ranges::none_of(special_blocks(), [&](const Prefix& block) { return block.contains(address); });
}

std::string to_string(const UdpEndpoint& endpoint) {
  return fmt::format(fmt::runtime(is_ipv4(endpoint.address) ? "{}:{}" : "[{}]:{}"), to_string(endpoint.address),
                     endpoint.port);
}

Result<UdpEndpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = colon == std::string_view::npos ? std::nullopt : number<std::uint16_t>(text.substr(colon + 1));
  if (host.empty() || !port || (host.contains(':') && !bracketed))
    return fail(
        ErrorCode::kInvalid,
        fmt::format("\"{}\" is not an endpoint: write 192.0.2.1:51820 or [2001:db8::1]:51820", text.substr(0, 80)));
  TRY_ASSIGN(const auto address, parse_ip(host));
  return UdpEndpoint{address, *port};
}

bool Prefix::contains(const Ipv6& ip) const { return masked(ip, bits) == masked(address, bits); }

std::string to_string(const Prefix& prefix) {
  const bool mapped = is_ipv4(prefix.address) && prefix.bits >= 96;
  return fmt::format("{}/{}", to_string(prefix.address), mapped ? prefix.bits - 96 : prefix.bits);
}

Result<Prefix> parse_prefix(std::string_view text) {
  const auto slash = text.find('/');
  TRY_ASSIGN(const auto address, parse_ip(text.substr(0, slash)));
  const unsigned offset = is_ipv4(address) ? 96 : 0;
  unsigned bits = 128;
  if (slash != std::string_view::npos) {
    const auto given = number<unsigned>(text.substr(slash + 1));
    if (!given || *given > 128 - offset)
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\": the length of the prefix must be 0 to {}", text.substr(0, 80), 128 - offset));
    bits = offset + *given;
  }
  const Prefix out{address, static_cast<std::uint8_t>(bits)};
  if (masked(address, bits) != address)
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" has bits set after its prefix: did you mean {}?", text.substr(0, 80),
                            to_string(Prefix{masked(address, bits), out.bits})));
  return out;
}

Ipv6 overlay_address(const NodeId& node) { return from_digest(Hash32{node.bytes}); }

Ipv6 container_address(const Ed25519PublicKey& root, BytesView id) {
  Bytes in;
  append(in, as_bytes("bonus/container/v1"));
  append(in, root);
  append(in, id);
  return from_digest(crypto::sha256(in));
}

}  // namespace bonus::net
