// Shared by the parts of Netlink: owners of libnl's objects, its errors, addresses of both families.
#pragma once

#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

#include <memory>
#include <string_view>

#include "bonus/net/api/address.hpp"

namespace bonus::net::host::detail {

template <class T, auto Release>
struct Releaser {
  void operator()(T* object) const { Release(object); }
};
template <class T, auto Release>
using Owned = std::unique_ptr<T, Releaser<T, Release>>;

using NlAddr = Owned<nl_addr, nl_addr_put>;
using NlCache = Owned<nl_cache, nl_cache_free>;

/// `code`: a negative NLE_* value.
[[nodiscard]] Error netlink_error(std::string_view doing, std::string_view subject, int code);
/// Four bytes for a mapped address, or when `ipv4` says so for the unspecified one.
[[nodiscard]] NlAddr to_nl(const Prefix& prefix, bool ipv4);
[[nodiscard]] inline NlAddr to_nl(const Prefix& prefix) { return to_nl(prefix, is_ipv4(prefix.address)); }
/// Mapped form for IPv4; nothing when it is neither family or null.
[[nodiscard]] bool from_nl(const nl_addr* address, Prefix& out);

}  // namespace bonus::net::host::detail
