// Makes, changes and removes the namespaces of a topology.
#include "bonus/net/topology/network.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include "bonus/net/topology/system.hpp"
#include "bonus/net/topology/wire.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/detached.hpp"

namespace bonus::net::topology {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStateRoot = "/run/bonus-wire";
constexpr Duration kWireStart = std::chrono::seconds(20), kEnd = std::chrono::seconds(5);
constexpr int kQueueLength = 4096;  // of a TUN device: what one turn of the wire may find

std::string folder_of(const std::string& prefix, const std::string& tag) {
  return fmt::format("{}/{}-{}", kStateRoot, prefix, tag);
}

/// One process at a time changes a network.
Result<Fd> take_lock(const std::string& prefix, const std::string& tag) {
  std::error_code error;
  fs::create_directories(kStateRoot, error);
  Fd fd(::open((folder_of(prefix, tag) + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    Error why = os_error(folder_of(prefix, tag) + ".lock");
    if (why.code == ErrorCode::kDenied) why.message += "; a topology is made by root";
    return fail(std::move(why));
  }
  if (::flock(fd.get(), LOCK_EX) != 0) return fail(os_error("locking " + folder_of(prefix, tag)));
  return fd;
}

std::string address(const Ipv6& ip) { return net::to_string(ip); }

Result<> quiet_switches() {
  for (const char* which : {"all", "default"})
    for (const auto& [name, value] :
         {std::pair{"accept_dad", "0"}, std::pair{"addr_gen_mode", "1"}, std::pair{"accept_ra", "0"}})
      TRY(set_switch(fmt::format("net/ipv6/conf/{}/{}", which, name), value));
  return {};
}

/// `ip` lines that put a machine's device in order, in its namespace.
std::string machine_lines(const Plan& plan, std::size_t i) {
  const Node& node = plan.topology.nodes[i];
  if (!node.router)
    return fmt::format(
        "tuntap add dev {0} mode tun vnet_hdr\n"
        "link set dev {0} mtu {1} txqueuelen {2} up\n"
        "addr add {3}/32 dev {0}\n"
        "route add default dev {0}\n",
        kMachineDevice, node.access.mtu, kQueueLength, address(plan.node_address(i)));
  // The LAN itself is Ethernet; a smaller MTU beyond the router is for the machine to discover.
  return fmt::format(
      "link set dev {0} up\n"
      "addr add {1}/24 dev {0}\n"
      "route add default via {2}\n",
      kMachineDevice, address(plan.node_address(i)), address(plan.inner_gateway(*node.router)));
}

std::string router_lines(const Plan& plan, std::size_t i) {
  const Router& router = plan.topology.routers[i];
  std::string out = fmt::format(
      "link set dev lo up\n"
      "link add {0} type bridge forward_delay 0 mcast_snooping 0\n"
      "addr add {1}/24 dev {0}\n"
      "link set dev {0} up\n",
      kLanDevice, address(plan.inner_gateway(i)));
  for (std::size_t n = 0; n < plan.topology.nodes.size(); ++n)
    if (plan.topology.nodes[n].router == i)
      out += fmt::format("link set dev {} master {} up\n", plan.port_name(n), kLanDevice);
  for (std::size_t r = 0; r < plan.topology.routers.size(); ++r)
    if (plan.topology.routers[r].carrier_router == i)
      out += fmt::format("link set dev {} master {} up\n", plan.carrier_port_name(r), kLanDevice);
  if (router.carrier_router)
    return out + fmt::format("link set dev {0} mtu {1} up\naddr add {2}/24 dev {0}\nroute add default via {3}\n",
                             kWanDevice, router.access.mtu, address(plan.router_address(i)),
                             address(plan.inner_gateway(*router.carrier_router)));
  return out + fmt::format(
                   "tuntap add dev {0} mode tun vnet_hdr\n"
                   "link set dev {0} mtu {1} txqueuelen {2} up\n"
                   "addr add {3}/32 dev {0}\n"
                   "route add default dev {0}\n",
                   kWanDevice, router.access.mtu, kQueueLength, address(plan.router_address(i)));
}

std::string cable_line(const Plan& plan, std::size_t node) {
  return fmt::format("link add {} netns {} type veth peer name {} netns {}\n", kMachineDevice,
                     plan.node_namespace(node), plan.port_name(node),
                     plan.router_namespace(*plan.topology.nodes[node].router));
}

Result<> make_namespaces(const Plan& plan) {
  std::string spaces, cables;
  const auto& [nodes, routers] = std::tie(plan.topology.nodes, plan.topology.routers);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    spaces += fmt::format("netns add {}\n", plan.node_namespace(i));
    if (nodes[i].router) cables += cable_line(plan, i);
  }
  for (std::size_t i = 0; i < routers.size(); ++i) {
    spaces += fmt::format("netns add {}\n", plan.router_namespace(i));
    if (routers[i].carrier_router)
      cables +=
          fmt::format("link add {} netns {} type veth peer name {} netns {}\n", kWanDevice, plan.router_namespace(i),
                      plan.carrier_port_name(i), plan.router_namespace(*routers[i].carrier_router));
  }
  TRY(run_ip(spaces));
  for (std::size_t i = 0; i < nodes.size(); ++i) TRY(in_namespace(plan.node_namespace(i), quiet_switches));
  for (std::size_t i = 0; i < routers.size(); ++i) TRY(in_namespace(plan.router_namespace(i), quiet_switches));
  return run_ip(cables);
}

Result<> set_up_router(const Plan& plan, std::size_t i) {
  return in_namespace(plan.router_namespace(i), [&]() -> Result<> {
    TRY(set_switch("net/ipv4/ip_forward", "1"));
    TRY(run_ip(router_lines(plan, i)));
    TRY(run_nft(nat_script(plan, i)));
    // The module that has these switches is loaded by the rules.
    const auto idle = std::chrono::duration_cast<std::chrono::seconds>(plan.topology.routers[i].mapping_timeout);
    for (const char* name : {"net/netfilter/nf_conntrack_udp_timeout", "net/netfilter/nf_conntrack_udp_timeout_stream"})
      TRY(set_switch(name, std::to_string(idle.count())));
    return {};
  });
}

/// A process of the network in its folder, so that it is found again: <name>.pid.
Result<runtime::DetachedProcess> start_recorded(const Plan& plan, const std::string& name,
                                                const std::vector<std::string>& argv, const std::string& log) {
  TRY_ASSIGN(const auto started, runtime::start_detached(argv, log));
  TRY(replace_file(fmt::format("{}/{}.pid", folder_of(plan.prefix, plan.tag), name),
                   fmt::format("{} {}\n", started.pid, started.start_ticks)));
  return started;
}

Result<> start_port_mapping(const Plan& plan, std::size_t i) {
  const std::string name = plan.topology.routers[i].name + ".upnp";
  const std::string file = fmt::format("{}/{}", folder_of(plan.prefix, plan.tag), name);
  TRY(replace_file(file + ".conf", port_mapping_config(plan, i)));
  return in_namespace(plan.router_namespace(i), [&]() -> Result<> {
    // -d keeps it in the foreground; what it says then is of no use to anybody.
    TRY_ASSIGN(const auto started,
               start_recorded(plan, name, {"miniupnpd", "-d", "-f", file + ".conf", "-P", file + ".own"}, "/dev/null"));
    constexpr Duration kFails = std::chrono::milliseconds(100);  // a missing program or a bad file show at once
    std::this_thread::sleep_for(kFails);
    if (!runtime::is_alive(started))
      return fail(ErrorCode::kUnavailable,
                  "miniupnpd does not start (Debian: miniupnpd-nftables); it is for port_mapping");
    return {};
  });
}

Result<> set_up_all(const Plan& plan) {
  TRY(make_namespaces(plan));
  for (std::size_t i = 0; i < plan.topology.routers.size(); ++i) TRY(set_up_router(plan, i));
  for (std::size_t i = 0; i < plan.topology.nodes.size(); ++i)
    TRY(in_namespace(plan.node_namespace(i), [&] { return run_ip("link set dev lo up\n" + machine_lines(plan, i)); }));
  return {};
}

Result<> start_wire(Plan& plan, const std::string& program) {
  const std::string folder = folder_of(plan.prefix, plan.tag), control = folder + "/control.sock",
                    log = folder + "/wire.log";
  TRY(replace_file(folder + "/wire.json", plan.wire().to_json()));
  TRY_ASSIGN(
      const auto started,
      start_recorded(plan, "wire", {program, "run", "--config", folder + "/wire.json", "--control", control}, log));
  plan.wire_pid = started.pid;
  plan.wire_start_ticks = started.start_ticks;
  const Instant end = runtime::system_clock().now() + kWireStart;
  for (;;) {
    const auto answer = ask_wire(control, "stats");
    if (answer) break;
    if (!runtime::is_alive(started) || runtime::system_clock().now() >= end) {
      const auto text = whole_file(log);
      return fail(ErrorCode::kUnavailable, fmt::format("{} does not start: {}", program, text ? *text : ""));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (std::size_t i = 0; i < plan.topology.routers.size(); ++i)
    if (plan.topology.routers[i].port_mapping) TRY(start_port_mapping(plan, i));
  return {};
}

Result<std::size_t> remove_all(const std::string& prefix, const std::string& tag) {
  const std::string folder = folder_of(prefix, tag);
  std::error_code error;
  Result<> first;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto text = it->path().extension() == ".pid" ? whole_file(it->path().string()) : Result<std::string>();
    if (!text || text->empty()) continue;
    char* rest = nullptr;
    runtime::DetachedProcess process;
    process.pid = static_cast<pid_t>(std::strtol(text->c_str(), &rest, 10));
    process.start_ticks = std::strtoull(rest, nullptr, 10);
    if (auto done = runtime::end_process(process, SIGTERM, kEnd); !done && first) first = std::move(done);
  }
  const auto names = namespaces_with(fmt::format("{}-{}-", prefix, tag));
  for (const auto& name : names)
    if (auto removed = remove_namespace(name); !removed && first) first = std::move(removed);
  fs::remove_all(folder, error);
  if (!first) return fail(std::move(first).error());
  return names.size();
}

/// `nft` words about a machine in the set of those without UDP.
std::string udp_line(const Plan& plan, std::size_t node, bool blocked) {
  return fmt::format("{} element ip bonus_nat no_udp {{ {} }}\n", blocked ? "add" : "delete",
                     address(plan.node_address(node)));
}

}  // namespace

Result<Network> Network::up(const UpOptions& options) {
  TRY_ASSIGN(auto topology, parse_topology(options.toml, options.file_name));
  if (options.seed) topology.seed = *options.seed;
  TRY_ASSIGN(auto plan, Plan::make(std::move(topology), options.prefix, options.tag));
  plan.toml = options.toml;
  plan.file_name = options.file_name;
  plan.capture = options.capture;
  TRY_ASSIGN(const auto held, take_lock(plan.prefix, plan.tag));
  const std::string folder = folder_of(plan.prefix, plan.tag);
  if (fs::exists(folder) || !namespaces_with(fmt::format("{}-{}-", plan.prefix, plan.tag)).empty())
    return fail(ErrorCode::kExists, fmt::format("a topology with the tag {0} is there; remove it: bonus-wire down "
                                                "--prefix {1} --tag {0}",
                                                plan.tag, plan.prefix));
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, folder + ": " + error.message());
  ::chmod(folder.c_str(), 0700);
  Network out(std::move(plan));
  auto made = set_up_all(out.plan_);
  if (made) made = start_wire(out.plan_, options.wire_program);
  if (made) made = out.save();
  if (made) return out;
  static_cast<void>(remove_all(out.plan_.prefix, out.plan_.tag));
  if (::geteuid() != 0) made.error().message += "; a topology is made by root";
  return fail(std::move(made).error());
}

Result<Network> Network::load(const std::string& prefix, const std::string& tag) {
  TRY(Plan::make({}, prefix, tag));  // the words go into paths
  const auto text = whole_file(folder_of(prefix, tag) + "/state.json");
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, fmt::format("there is no topology with the tag {}", tag));
  if (!text) return fail(text.error());
  TRY_ASSIGN(auto plan, Plan::from_state(*text));
  return Network(std::move(plan));
}

Result<std::size_t> Network::down(const std::string& prefix, const std::string& tag) {
  TRY(Plan::make({}, prefix, tag));
  TRY_ASSIGN(const auto held, take_lock(prefix, tag));
  auto out = remove_all(prefix, tag);
  ::unlink((folder_of(prefix, tag) + ".lock").c_str());
  return out;
}

std::string Network::to_json() const { return plan_.to_json(folder_of(plan_.prefix, plan_.tag)); }

Result<std::string> Network::stats() const {
  return ask_wire(folder_of(plan_.prefix, plan_.tag) + "/control.sock", "stats");
}

Result<> Network::save() const {
  return replace_file(folder_of(plan_.prefix, plan_.tag) + "/state.json", plan_.to_state());
}

Result<> Network::reload_wire() const {
  const std::string folder = folder_of(plan_.prefix, plan_.tag);
  TRY(replace_file(folder + "/wire.json", plan_.wire().to_json()));
  TRY(ask_wire(folder + "/control.sock", "reload"));
  return save();
}

Result<std::size_t> Network::node_index(std::string_view name) const {
  const auto index = plan_.topology.find_node(name);
  if (!index) return fail(ErrorCode::kNotFound, fmt::format("no node is called {}", name));
  return *index;
}

Result<Fd> Network::begin() {
  TRY_ASSIGN(auto held, take_lock(plan_.prefix, plan_.tag));
  // Another process may have changed it since we read it.
  TRY_ASSIGN(auto current, load(plan_.prefix, plan_.tag));
  plan_ = std::move(current.plan_);
  return held;
}

Result<> Network::roam(std::string_view name) {
  TRY_ASSIGN(const auto held, begin());
  TRY_ASSIGN(const auto node, node_index(name));
  const auto& router = plan_.topology.nodes[node].router;
  const Ipv6 old = plan_.public_address(node);
  const std::size_t outer = router ? plan_.outermost(*router) : 0;
  ++(router ? plan_.routers[outer].generation : plan_.nodes[node].generation);
  const Ipv6 fresh = plan_.public_address(node);
  const std::string space = router ? plan_.router_namespace(outer) : plan_.node_namespace(node);
  TRY(in_namespace(space, [&]() -> Result<> {
    const std::string_view device = router ? kWanDevice : kMachineDevice;
    TRY(run_ip(
        fmt::format("addr add {0}/32 dev {2}\naddr del {1}/32 dev {2}\n", address(fresh), address(old), device)));
    if (!router) return {};
    // Masquerading forgets the flows of an address that goes; the cones' tables are ours.
    const NatKind kind = plan_.topology.routers[outer].nat;
    const bool cone = kind == NatKind::kFullCone || kind == NatKind::kAddressRestricted;
    return run_nft(cone ? "flush map ip bonus_nat mappings\nflush set ip bonus_nat contacts\n" : "");
  }));
  return reload_wire();
}

Result<> Network::roam_to(std::string_view name, std::string_view router_name) {
  TRY_ASSIGN(const auto held, begin());
  TRY_ASSIGN(const auto node, node_index(name));
  const auto router = plan_.topology.find_router(router_name);
  Node& moved = plan_.topology.nodes[node];
  if (!router || plan_.topology.routers[*router].carrier)
    return fail(ErrorCode::kNotFound, fmt::format("no router is called {}", router_name));
  if (!moved.router) return fail(ErrorCode::kInvalid, fmt::format("{} is open: it is the wire's, not a LAN's", name));
  TRY(in_namespace(plan_.node_namespace(node),
                   [] { return run_ip(fmt::format("link del dev {}\n", kMachineDevice)); }));
  moved.router = router;
  moved.region = plan_.topology.routers[*router].region;
  TRY(run_ip(cable_line(plan_, node)));
  TRY(in_namespace(plan_.router_namespace(*router), [&]() -> Result<> {
    TRY(run_ip(fmt::format("link set dev {} master {} {}\n", plan_.port_name(node), kLanDevice,
                           plan_.nodes[node].cut ? "down" : "up")));
    return plan_.nodes[node].udp_blocked ? run_nft(udp_line(plan_, node, true)) : Result<>();
  }));
  TRY(in_namespace(plan_.node_namespace(node), [&] { return run_ip(machine_lines(plan_, node)); }));
  return save();
}

Result<> Network::block_udp(std::string_view name, bool blocked) {
  TRY_ASSIGN(const auto held, begin());
  TRY_ASSIGN(const auto node, node_index(name));
  if (plan_.nodes[node].udp_blocked == blocked) return {};
  plan_.nodes[node].udp_blocked = blocked;
  const auto& router = plan_.topology.nodes[node].router;
  if (!router) return reload_wire();
  TRY(in_namespace(plan_.router_namespace(*router), [&] { return run_nft(udp_line(plan_, node, blocked)); }));
  return save();
}

Result<> Network::cut(std::string_view name, bool is_cut) {
  TRY_ASSIGN(const auto held, begin());
  TRY_ASSIGN(const auto node, node_index(name));
  if (plan_.nodes[node].cut == is_cut) return {};
  plan_.nodes[node].cut = is_cut;
  const auto& router = plan_.topology.nodes[node].router;
  if (!router) return reload_wire();
  TRY(in_namespace(plan_.router_namespace(*router), [&] {
    return run_ip(fmt::format("link set dev {} {}\n", plan_.port_name(node), is_cut ? "down" : "up"));
  }));
  return save();
}

Result<> Network::set_path(std::string_view a, std::string_view b, const PathChange& change) {
  TRY_ASSIGN(const auto held, begin());
  std::optional<std::size_t> ends[2];
  for (std::size_t i = 0; i < plan_.topology.regions.size(); ++i) {
    if (plan_.topology.regions[i].name == a) ends[0] = i;
    if (plan_.topology.regions[i].name == b) ends[1] = i;
  }
  if (!ends[0] || !ends[1]) return fail(ErrorCode::kNotFound, fmt::format("no region {}", ends[0] ? b : a));
  const std::size_t regions = plan_.topology.regions.size();
  for (const auto at : {*ends[0] * regions + *ends[1], *ends[1] * regions + *ends[0]}) {
    Path& path = plan_.topology.paths[at];
    path.latency = change.latency.value_or(path.latency);
    path.jitter = change.jitter.value_or(path.jitter);
    path.loss = change.loss.value_or(path.loss);
  }
  return reload_wire();
}

Result<> Network::capture(const std::string& path) {
  TRY_ASSIGN(const auto held, begin());
  plan_.capture = path;
  return reload_wire();
}

std::vector<std::string> network_tags(const std::string& prefix) {
  std::set<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(kStateRoot, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(prefix + "-") && name.find('.') == std::string::npos)
      out.insert(name.substr(prefix.size() + 1));
  }
  for (const auto& name : namespaces_with(prefix + "-")) {
    const auto end = name.find('-', prefix.size() + 1);
    if (end != std::string::npos) out.insert(name.substr(prefix.size() + 1, end - prefix.size() - 1));
  }
  return {out.begin(), out.end()};
}

}  // namespace bonus::net::topology
