// Sysctls (ip-sysctl.rst of the kernel's documentation) and the overlay device of a node's namespace.
#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "bonus/net/host/netlink.hpp"

namespace bonus::net::host {
namespace {

constexpr std::string_view kRoot = "/proc/sys/";

Result<> check_path(std::string_view path) {
  if (!path.starts_with("net/") || path.find("..") != std::string_view::npos)
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a network setting", path));
  return {};
}

}  // namespace

Result<> set_sysctl(std::string_view path, std::string_view value) {
  TRY(check_path(path));
  const std::string file = fmt::format("{}{}", kRoot, path);
  const Fd out(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!out) return fail(os_error("opening", file));
  if (::write(out.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail(os_error("writing", file));
  return {};
}

Result<std::string> sysctl(std::string_view path) {
  TRY(check_path(path));
  const std::string file = fmt::format("{}{}", kRoot, path);
  const Fd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return fail(os_error("opening", file));
  std::array<char, 256> text{};
  const ssize_t n = ::read(in.get(), text.data(), text.size());
  if (n < 0) return fail(os_error("reading", file));
  std::string out(text.data(), static_cast<std::size_t>(n));
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

Result<> prepare_node_namespace() {
  constexpr std::pair<std::string_view, std::string_view> kSettings[] = {
      {"net/ipv6/conf/all/forwarding", "1"},
      {"net/ipv6/conf/default/forwarding", "1"},
      {"net/ipv6/conf/all/accept_ra", "0"},
      {"net/ipv6/conf/default/accept_ra", "0"},
      {"net/ipv6/conf/all/accept_redirects", "0"},
      {"net/ipv6/conf/default/accept_redirects", "0"},
      {"net/ipv6/conf/default/accept_dad", "0"},
      {"net/ipv6/conf/default/addr_gen_mode",
       "1"},  // no link-local addresses: every packet has an address that we gave
      {"net/ipv6/conf/default/use_tempaddr", "0"},
      {"net/ipv4/ip_forward", "1"},
      {"net/ipv4/conf/all/send_redirects", "0"},
      {"net/ipv4/conf/default/send_redirects", "0"},
      // New namespaces copy the machine's IPv4 settings; replies of exits come in where the route does not point.
      {"net/ipv4/conf/all/rp_filter", "0"},
      {"net/ipv4/conf/default/rp_filter", "0"},
  };
  for (const auto& [path, value] : kSettings) TRY(set_sysctl(path, value));
  return {};
}

Result<> configure_overlay_device(Netlink& netlink, std::string_view device, const Ipv6& address, std::uint32_t mtu) {
  TRY(netlink.no_link_local(device));
  TRY(netlink.set_mtu(device, mtu));
  TRY(netlink.add_address(device, Prefix{address, 128}));
  TRY(netlink.set_up(device));
  Route overlay;
  overlay.destination.address.bytes[0] = 0xfd;
  overlay.destination.bits = 8;
  overlay.device = device;
  overlay.source = address;
  return netlink.set_route(overlay);
}

}  // namespace bonus::net::host
