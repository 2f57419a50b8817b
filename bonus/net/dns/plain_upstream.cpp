// Sockets to other DNS servers, made in the process's own namespace; reading of resolv.conf(5).
#include "bonus/net/dns/plain_upstream.hpp"

#include "bonus/net/dns/sockets.hpp"

namespace bonus::net::dns {

namespace {

constexpr std::size_t kMaxNameservers = 3;  // MAXNS of the C library
constexpr std::size_t kMaxFileBytes = 64 << 10;

std::string_view take_word(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) return line = {};
  line.remove_prefix(start);
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

void PlainUpstream::connect(const UdpEndpoint& server, bool stream, SocketDone done) {
  auto fd = connect_socket(server, stream);
  if (!fd) return done(fail(std::move(fd).error()));
  done(fd->release());
}

std::vector<UdpEndpoint> parse_resolv_conf(std::string_view text, const std::vector<Ipv6>& exclude) {
  std::vector<UdpEndpoint> out;
  text = text.substr(0, kMaxFileBytes);
  while (!text.empty() && out.size() < kMaxNameservers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (take_word(line) != "nameserver") continue;
    const auto address = parse_ip(take_word(line));
    if (!address || std::ranges::find(exclude, *address) != exclude.end()) continue;
    const UdpEndpoint endpoint{*address, 53};
    if (std::ranges::find(out, endpoint) == out.end()) out.push_back(endpoint);
  }
  return out;
}

}  // namespace bonus::net::dns
