// What the port mapping protocols share: a bounded wait, IPv4 addresses of the system.
#pragma once

#include <netinet/in.h>
#include <poll.h>

#include <cstring>

#include "bonus/net/api/address.hpp"

namespace bonus::net::nat {

inline in_addr_t to_in_addr(const Ipv6& address) {
  in_addr_t out = 0;
  std::memcpy(&out, address.bytes.data() + 12, 4);
  return out;
}
inline Ipv6 from_in_addr(in_addr_t address) {
  Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  std::memcpy(out.bytes.data() + 12, &address, 4);
  return out;
}
inline bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLIN) != 0;
}

}  // namespace bonus::net::nat
