// wg-quick files: sections, "Key = value", comments from '#'. Names of sections and keys without regard to case, as
// wg(8) has them.
#include "bonus/net/tunnel/config.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <charconv>
#include <set>

namespace bonus::net::tunnel {
namespace {

constexpr std::size_t kMaxAllowedIps = 1u << 16;  // of the whole file

enum class Section : std::uint8_t { kNone, kInterface, kPeer };
constexpr std::array<std::string_view, 2> kSections{"Interface", "Peer"};
/// Known, and without effect here: it is the business of wg-quick, or of who starts us.
constexpr std::array<std::string_view, 8> kIgnored{"DNS",     "Table",    "PreUp",      "PostUp",
                                                   "PreDown", "PostDown", "SaveConfig", "FwMark"};
constexpr std::array<std::string_view, 4> kInterfaceKeys{"PrivateKey", "ListenPort", "Address", "MTU"};
constexpr std::array<std::string_view, 5> kPeerKeys{"PublicKey", "PresharedKey", "AllowedIPs", "Endpoint",
                                                    "PersistentKeepalive"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}
std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\f\v";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}
std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view cut = word.substr(0, 64);
  return *std::ranges::min_element(known, {}, [cut](std::string_view k) { return distance(cut, k); });
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}
/// What a person wrote, fit to be shown: short and printable.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > 64) out += "...";
  return out;
}

std::optional<std::uint16_t> number(std::string_view text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Ipv6 masked(Ipv6 address, unsigned bits) {
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned keep = bits > i * 8 ? std::min(8u, bits - i * 8) : 0;
    address.bytes[i] &= static_cast<std::uint8_t>(0xff00u >> keep);
  }
  return address;
}

/// "10.0.0.2/24" or an address alone.
Result<InterfaceAddress> address_with_bits(std::string_view text) {
  const auto slash = text.find('/');
  const auto parsed = printable(text) ? parse_ip(text.substr(0, slash)) : Result<Ipv6>(fail(ErrorCode::kInvalid, {}));
  if (!parsed) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not an IP address or prefix", shown(text)));
  const Ipv6 address = *parsed;
  const unsigned family = is_ipv4(address) && text.find(':') == std::string_view::npos ? 32 : 128;
  unsigned bits = family;
  if (slash != std::string_view::npos) {
    const auto given = number(text.substr(slash + 1));
    if (!given || *given > family) {
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" has no prefix length of 0 to {}", shown(text), family));
    }
    bits = *given;
  }
  return InterfaceAddress{address, static_cast<std::uint8_t>(128 - family + bits)};
}

class Parser {
 public:
  explicit Parser(std::string_view name) : name_(shown(name)) {}
  Result<TunnelConfig> run(std::string_view text);

 private:
  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const { return bad_at(line_, what); }
  [[nodiscard]] std::unexpected<Error> bad_at(std::size_t line, std::string_view what) const {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", name_, line, what));
  }
  Result<> section(std::string_view text);
  Result<> assignment(std::string_view text);
  Result<> interface_key(std::string_view key, std::string_view value);
  Result<> peer_key(std::string_view key, std::string_view value);
  Result<> end_section();
  Result<Hash32> key(std::string_view what, std::string_view value);
  template <class Each>
  Result<> list(std::string_view value, const Each& each);

  std::string name_;
  std::size_t line_ = 0, section_line_ = 0, allowed_ips_ = 0;
  Section section_ = Section::kNone;
  bool have_interface_ = false, have_key_ = false;
  TunnelConfig out_;
  std::set<crypto::X25519Public> known_peers_;
};

Result<TunnelConfig> Parser::run(std::string_view text) {
  if (text.size() > kMaxConfigBytes) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: larger than {} bytes", name_, kMaxConfigBytes));
  }
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line_;
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (line.front() == '[') {
      TRY(section(line));
    } else {
      TRY(assignment(line));
    }
  }
  TRY(end_section());
  if (!have_interface_) return bad("no [Interface] section; write one with PrivateKey = ... first");
  return std::move(out_);
}

Result<> Parser::section(std::string_view text) {
  TRY(end_section());
  const std::string_view name = text.back() == ']' ? trim(text.substr(1, text.size() - 2)) : std::string_view();
  section_line_ = line_;
  if (same(name, "Interface")) {
    if (have_interface_) return bad("a second [Interface]; one file is one interface");
    have_interface_ = true;
    section_ = Section::kInterface;
  } else if (same(name, "Peer")) {
    if (out_.peers.size() >= kMaxConfigPeers) return bad(fmt::format("more than {} peers", kMaxConfigPeers));
    out_.peers.emplace_back();
    have_key_ = false;
    section_ = Section::kPeer;
  } else {
    return bad(fmt::format("unknown section \"{}\"; did you mean [{}]?", shown(text), nearest(text, kSections)));
  }
  return {};
}

Result<> Parser::end_section() {
  if (section_ == Section::kInterface && out_.private_key.is_zero()) {
    return bad_at(section_line_, "[Interface] has no PrivateKey; `wg genkey` makes one");
  }
  if (section_ == Section::kPeer) {
    const PeerSection& peer = out_.peers.back();
    if (!have_key_) return bad_at(section_line_, "[Peer] has no PublicKey; write the other side's `wg pubkey`");
    if (!known_peers_.insert(peer.public_key).second) {
      return bad_at(section_line_, "a second [Peer] with this PublicKey; put its AllowedIPs into one");
    }
  }
  section_ = Section::kNone;
  return {};
}

Result<> Parser::assignment(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return bad(fmt::format("\"{}\" is not \"Key = value\"", shown(text)));
  const std::string_view name = trim(text.substr(0, equals)), value = trim(text.substr(equals + 1));
  if (section_ == Section::kNone) return bad("a key before any section; begin with [Interface]");
  if (section_ == Section::kInterface) return interface_key(name, value);
  return peer_key(name, value);
}

Result<Hash32> Parser::key(std::string_view what, std::string_view value) {
  auto parsed = parse_key(value);
  if (!parsed) return bad(fmt::format("{} {}", what, parsed.error().message));  // never shows the value: it is secret
  return *parsed;
}

template <class Each>
Result<> Parser::list(std::string_view value, const Each& each) {
  while (!value.empty()) {
    const auto comma = value.find(',');
    const std::string_view item = trim(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    if (item.empty()) return bad("an empty entry between commas");
    auto parsed = address_with_bits(item);
    if (!parsed) return bad(parsed.error().message);
    TRY(each(*parsed));
  }
  return {};
}

Result<> Parser::interface_key(std::string_view name, std::string_view value) {
  if (same(name, "PrivateKey")) {
    TRY_ASSIGN(const Hash32 secret, key("PrivateKey", value));
    if (secret.is_zero()) return bad("PrivateKey is zero; `wg genkey` makes one");
    out_.private_key.bytes = secret.bytes;
  } else if (same(name, "ListenPort")) {
    const auto port = number(value);
    if (!port) return bad("ListenPort is not a number of 0 to 65535");
    out_.listen_port = *port;
  } else if (same(name, "Address")) {
    return list(value, [this](const InterfaceAddress& address) -> Result<> {
      if (out_.addresses.size() >= 1024) return bad("more than 1024 addresses");
      out_.addresses.push_back(address);
      return {};
    });
  } else if (same(name, "MTU")) {
    const auto mtu = number(value);
    if (!mtu || *mtu < 576) return bad("MTU is not a number of 576 to 65535 (1280 and more for IPv6)");
    out_.mtu = *mtu;
  } else if (std::ranges::any_of(kIgnored, [name](std::string_view k) { return same(k, name); })) {
    if (out_.ignored.size() < 64) out_.ignored.push_back(fmt::format("{}:{}: {}", name_, line_, shown(name)));
  } else {
    const bool peers = std::ranges::any_of(kPeerKeys, [name](std::string_view k) { return same(k, name); });
    if (peers) return bad(fmt::format("{} belongs into a [Peer] section", shown(name)));
    return bad(fmt::format("unknown key \"{}\"; did you mean {}?", shown(name), nearest(name, kInterfaceKeys)));
  }
  return {};
}

Result<> Parser::peer_key(std::string_view name, std::string_view value) {
  PeerSection& peer = out_.peers.back();
  if (same(name, "PublicKey")) {
    TRY_ASSIGN(const Hash32 parsed, key("PublicKey", value));
    peer.public_key.bytes = parsed.bytes;
    have_key_ = true;
  } else if (same(name, "PresharedKey")) {
    TRY_ASSIGN(peer.preshared_key, key("PresharedKey", value));
  } else if (same(name, "AllowedIPs")) {
    return list(value, [this, &peer](const InterfaceAddress& a) -> Result<> {
      if (++allowed_ips_ > kMaxAllowedIps) return bad(fmt::format("more than {} AllowedIPs", kMaxAllowedIps));
      peer.allowed_ips.push_back({masked(a.address, a.bits), a.bits});
      return {};
    });
  } else if (same(name, "Endpoint")) {
    const auto colon = value.rfind(':');
    const auto port = colon == std::string_view::npos ? std::nullopt : number(value.substr(colon + 1));
    std::string_view host = value.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!port || *port == 0 || host.empty() || host.size() > 253 || !printable(host) ||
        (!bracketed && host.find(':') != std::string_view::npos)) {
      return bad("Endpoint is not \"host:port\", \"192.0.2.1:51820\" or \"[2001:db8::1]:51820\"");
    }
    peer.endpoint_host = host;
    peer.endpoint_port = *port;
  } else if (same(name, "PersistentKeepalive")) {
    const auto seconds = same(value, "off") ? std::optional<std::uint16_t>(0) : number(value);
    if (!seconds) return bad("PersistentKeepalive is not \"off\" or a number of seconds, 0 to 65535");
    peer.persistent_keepalive_s = *seconds;
  } else {
    const auto is_name = [name](std::string_view k) { return same(k, name); };
    if (std::ranges::any_of(kInterfaceKeys, is_name) || std::ranges::any_of(kIgnored, is_name)) {
      return bad(fmt::format("{} belongs into the [Interface] section", shown(name)));
    }
    return bad(fmt::format("unknown key \"{}\"; did you mean {}?", shown(name), nearest(name, kPeerKeys)));
  }
  return {};
}

}  // namespace

Result<TunnelConfig> parse_config(std::string_view text, std::string_view name) { return Parser(name).run(text); }

Result<Hash32> parse_key(std::string_view text) {
  Hash32 out;
  std::size_t length = 0;
  const char* end = nullptr;
  if (text.size() != 44 ||
      sodium_base642bin(out.bytes.data(), out.bytes.size(), text.data(), text.size(), nullptr, &length, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      length != out.bytes.size() || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalid, "is not a key: 44 characters of base64, as `wg genkey` and `wg pubkey` print");
  }
  return out;
}

std::string format_key(BytesView key) {
  std::string out(sodium_base64_ENCODED_LEN(key.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // its terminating zero
  return out;
}

}  // namespace bonus::net::tunnel
