// Sockets to other DNS servers, made in the process's own namespace.
#pragma once

#include <string_view>
#include <vector>

#include "bonus/net/dns/source.hpp"

namespace bonus::net::dns {

/// Non-blocking sockets from socket(2); a TCP one is handed over while it still connects. Thread-safe.
class PlainUpstream : public Upstream {
 public:
  void connect(const UdpEndpoint& server, bool stream, SocketDone done) override;
};

/// The name servers of a resolv.conf(5), port 53, at most three as the C library reads them, without `exclude` (our own
/// addresses: a loop otherwise) and without addresses that need a zone index. Never fails: nonsense gives none.
[[nodiscard]] std::vector<UdpEndpoint> parse_resolv_conf(std::string_view text, const std::vector<Ipv6>& exclude = {});

}  // namespace bonus::net::dns
