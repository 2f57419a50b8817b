// Fuzz target: configuration files. Whatever parses keeps its bounds; whatever does not says so in one printable line.
#include <cstdlib>

#include "bonus/net/tunnel/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  const auto parsed = net::tunnel::parse_config(as_text(BytesView(data, size)), "f");
  if (!parsed) {
    const bool printable = std::ranges::all_of(parsed.error().message, [](char c) { return c >= ' ' && c <= '~'; });
    if (!printable || !parsed.error().message.starts_with("f:")) std::abort();
    return 0;
  }
  if (parsed->private_key.is_zero() || parsed->peers.size() > net::tunnel::kMaxConfigPeers) std::abort();
  for (const auto& address : parsed->addresses) {
    if (address.bits > 128) std::abort();
  }
  for (const auto& peer : parsed->peers) {
    if (peer.endpoint_host.empty() != (peer.endpoint_port == 0)) std::abort();
    for (const auto& prefix : peer.allowed_ips) {
      // What was read can be written and read again.
      const auto again = net::parse_prefix(net::to_string(prefix));
      if (!again || *again != prefix) std::abort();
    }
  }
  return 0;
}
