// A LAN device into the node's namespace with its addresses, and home again.
#include "bonus/node/lan_device.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <filesystem>

#include "bonus/base/log.hpp"
#include "bonus/net/host/namespace.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

namespace json = boost::json;
namespace host = net::host;

namespace {

constexpr std::size_t kMaxFile = 64 << 10;
constexpr std::uint8_t kHostScope = 254;

bool is_default(const host::Route& route) { return route.destination.bits == (route.ipv4 ? 96 : 0); }

Result<LanSettings> read_settings(host::Netlink& netlink, const host::Link& link) {
  LanSettings out;
  for (const auto& address : TRY(netlink.addresses()))
    if (address.index == link.index && address.scope != kHostScope) out.addresses.push_back(address);
  for (const auto& route : TRY(netlink.routes())) {
    if (route.device != link.name) continue;
    if (is_default(route))
      return fail(ErrorCode::kConflict,
                  fmt::format("{} is this machine's own way out: its default route leads through it", link.name));
    if (route.via) out.routes.push_back(route);
  }
  return out;
}

Result<> apply(host::Netlink& netlink, const std::string& name, const LanSettings& settings) {
  TRY(netlink.set_up(name));
  for (const auto& address : settings.addresses)
    TRY(netlink.add_address(name, net::Prefix{address.address, address.bits}));
  for (const auto& route : settings.routes) TRY(netlink.set_route(route));
  return {};
}

/// The number by which the kernel knows a network namespace.
std::uint64_t inode_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

std::string encode(const std::string& name, const LanSettings& settings) {
  json::array addresses, routes;
  for (const auto& one : settings.addresses)
    addresses.push_back(json::object{{"address", net::to_string(one.address)}, {"bits", one.bits}});
  for (const auto& one : settings.routes)
    routes.push_back(json::object{{"to", net::to_string(one.destination)},
                                  {"via", net::to_string(*one.via)},
                                  {"onlink", one.onlink},
                                  {"metric", one.metric}});
  return json::serialize(json::object{{"device", name},
                                      {"namespace", inode_of("/proc/self/ns/net")},
                                      {"addresses", std::move(addresses)},
                                      {"routes", std::move(routes)}}) +
         "\n";
}

struct Noted {
  std::string device;
  std::uint64_t space = 0;
  LanSettings settings;
};

/// Our own file; one that cannot be read is as good as none, for the operator's configuration decides then.
std::optional<Noted> read_note(const std::string& path) {
  const auto text = runtime::system_disk().read_file(path, kMaxFile);
  if (!text) return std::nullopt;
  try {
    const json::value root = json::parse(as_text(*text));
    Noted out;
    out.device = json::value_to<std::string>(root.at("device"));
    out.space = root.at("namespace").to_number<std::uint64_t>();
    for (const auto& item : root.at("addresses").as_array()) {
      const auto address = net::parse_ip(json::value_to<std::string>(item.at("address")));
      if (!address) return std::nullopt;
      host::LinkAddress one;
      one.address = *address;
      one.bits = item.at("bits").to_number<std::uint8_t>();
      out.settings.addresses.push_back(one);
    }
    for (const auto& item : root.at("routes").as_array()) {
      const auto to = net::parse_prefix(json::value_to<std::string>(item.at("to")));
      const auto via = net::parse_ip(json::value_to<std::string>(item.at("via")));
      if (!to || !via) return std::nullopt;
      host::Route one;
      one.destination = *to;
      one.ipv4 = net::is_ipv4(to->address);
      one.device = out.device;
      one.via = *via;
      one.onlink = item.at("onlink").as_bool();
      one.metric = item.at("metric").to_number<std::uint32_t>();
      out.settings.routes.push_back(std::move(one));
    }
    return out;
  } catch (const std::exception& error) {
    log::warn("net", "lan_note_unreadable", {{"file", path}, {"error", error.what()}});
    return std::nullopt;
  }
}

Result<> check_name(const std::string& name) {
  const bool ours = name == "lo" || name.starts_with("bonus") || name.starts_with("bc") || name.starts_with("bx");
  if (name.size() > 15 || name.find_first_of("/ \t\n\"") != std::string::npos || ours)
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" cannot be a LAN device: names with bonus, bc and bx are the node's own", name));
  return {};
}

}  // namespace

Result<std::unique_ptr<LanDevice>> LanDevice::find(std::string name, std::string data_dir) {
  TRY(check_name(name));
  TRY_ASSIGN(auto outside, host::current_namespace());
  TRY_ASSIGN(auto netlink, host::Netlink::open());
  std::unique_ptr<LanDevice> out(
      new LanDevice(std::move(name), std::move(data_dir) + "/lan_device.json", std::move(outside), std::move(netlink)));
  auto link = out->netlink_.link(out->name_);
  if (!link && link.error().code == ErrorCode::kNotFound) {
    TRY(out->bring_home());
    link = out->netlink_.link(out->name_);
  }
  if (!link) return fail(std::move(link).error());
  TRY_ASSIGN(out->settings_, read_settings(out->netlink_, *link));
  if (out->settings_.addresses.empty())
    if (auto noted = read_note(out->file_); noted && noted->device == out->name_)
      out->settings_ = std::move(noted->settings);
  return out;
}

// The namespace of a process that was killed lives on while containers' supervisors are in it, and keeps the device.
Result<> LanDevice::bring_home() {
  const auto noted = read_note(file_);
  if (!noted || noted->device != name_ || noted->space == 0) return {};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string path = entry.path().string() + "/ns/net";
    if (inode_of(path) != noted->space) continue;
    TRY_ASSIGN(const auto space, host::open_namespace(path));
    TRY_ASSIGN(auto inside, host::Netlink::open_in(space.get()));
    if (!inside.link(name_)) return {};
    log::info("net", "lan_device_recovered", {{"device", name_}});
    return inside.move(name_, outside_.get());
  }
  return {};
}

Result<> LanDevice::take() {
  const std::string note = encode(name_, settings_);
  TRY(runtime::system_disk().write_file(file_, as_bytes(note), 0600));
  TRY_ASSIGN(const auto here, host::current_namespace());
  if (auto moved = netlink_.move(name_, here.get()); !moved) {
    if (moved.error().code == ErrorCode::kDenied)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("moving {} into the node's namespace needs root (CAP_NET_ADMIN)", name_));
    return moved;
  }
  taken_ = true;
  TRY_ASSIGN(auto inside, host::Netlink::open());
  // Unlike the node's other devices it has neighbours, and a router asks for them from its link-local address only.
  if (auto set = host::set_sysctl(fmt::format("net/ipv6/conf/{}/addr_gen_mode", name_), "0"); !set)
    log::debug("net", "lan_device_without_ipv6", {{"device", name_}, {"error", set.error().message}});
  return apply(inside, name_, settings_);
}

Result<> LanDevice::give_back() {
  TRY_ASSIGN(auto inside, host::Netlink::open());
  TRY(inside.move(name_, outside_.get()));
  TRY(apply(netlink_, name_, settings_));
  std::error_code error;
  std::filesystem::remove(file_, error);
  return {};
}

LanDevice::~LanDevice() {
  if (!taken_) return;
  if (auto done = give_back(); !done)
    log::warn("net", "lan_device_not_given_back", {{"device", name_}, {"error", done.error().message}});
}

}  // namespace bonus::node
