// The configuration file of a stock WireGuard client, and its QR code.
#include "bonus/net/edge/client_config.hpp"

#include <fmt/format.h>
#include <qrencode.h>

#include "bonus/net/tunnel/config.hpp"

namespace bonus::net::edge {

namespace {

constexpr int kQuiet = 4;                  // ISO/IEC 18004, section 6.3.8
constexpr std::size_t kMaxQrBytes = 2953;  // version 40-L, byte mode

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c != 0x7f; });
}

/// "host:port" with nothing in it that could end the line.
bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 260) return false;
  const std::string_view port = text.substr(colon + 1);
  const bool digits =
      !port.empty() && port.size() <= 5 && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  return digits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  std::string_view("-._:[]").find(c) != std::string_view::npos;
         });
}

}  // namespace

Result<std::string> format_client_config(const ClientConfig& config) {
  if (!is_endpoint(config.endpoint))
    return fail(ErrorCode::kInvalid, "the endpoint of the gateway must be written as host:port");
  if (!is_plain(config.comment))
    return fail(ErrorCode::kInvalid, "a comment of a configuration has a control character");
  std::string out;
  if (!config.comment.empty()) out += "# " + config.comment + "\n";
  out += "[Interface]\n";
  if (config.private_key) out += fmt::format("PrivateKey = {}\n", tunnel::format_key(*config.private_key));
  std::string addresses;
  for (const Ipv6& address : config.addresses)
    addresses += fmt::format("{}{}", addresses.empty() ? "" : ", ", to_string(Prefix{address, 128}));
  out += fmt::format("Address = {}\n", addresses);
  if (config.dns) out += fmt::format("DNS = {}\n", to_string(*config.dns));
  out += fmt::format("MTU = {}\n\n[Peer]\nPublicKey = {}\n", config.mtu, tunnel::format_key(config.gateway_key));
  if (!config.preshared_key.is_zero())
    out += fmt::format("PresharedKey = {}\n", tunnel::format_key(config.preshared_key));
  std::string allowed;
  for (const Prefix& prefix : config.allowed)
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", to_string(prefix));
  out += fmt::format("AllowedIPs = {}\nEndpoint = {}\n", allowed, config.endpoint);
  if (config.keepalive_s != 0) out += fmt::format("PersistentKeepalive = {}\n", config.keepalive_s);
  return out;
}

Result<std::string> qr_code(std::string_view text, bool dark_text) {
  if (text.size() > kMaxQrBytes)
    return fail(ErrorCode::kExhausted, fmt::format("{} bytes do not fit into a QR code", text.size()));
  struct Delete {
    void operator()(QRcode* code) const { QRcode_free(code); }
  };
  const std::unique_ptr<QRcode, Delete> code(QRcode_encodeData(
      static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_L));
  if (!code) return fail(ErrorCode::kExhausted, "the text does not fit into a QR code");
  const int width = code->width;
  // Blocks are drawn in the text's colour: light modules where that is light.
  const auto drawn = [&](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < width && y < width;
    const bool dark = inside && (code->data[y * width + x] & 1) != 0;
    return y < width + kQuiet && dark == dark_text;
  };
  std::string out;
  for (int y = -kQuiet; y < width + kQuiet; y += 2) {
    for (int x = -kQuiet; x < width + kQuiet; ++x) {
      const bool upper = drawn(x, y), lower = drawn(x, y + 1);
      out += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
    }
    out += '\n';
  }
  return out;
}

}  // namespace bonus::net::edge
