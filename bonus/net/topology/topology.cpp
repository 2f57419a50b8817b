// Reads a topology file. All problems are collected, each with its line.
#include "bonus/net/topology/topology.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <set>

namespace bonus::net::topology {
namespace {

struct KindName {
  NatKind kind;
  std::string_view name;
};
constexpr std::array kKinds{KindName{NatKind::kOpen, "open"},
                            KindName{NatKind::kFullCone, "full-cone"},
                            KindName{NatKind::kAddressRestricted, "address-restricted"},
                            KindName{NatKind::kPortRestricted, "port-restricted"},
                            KindName{NatKind::kSymmetric, "symmetric"},
                            KindName{NatKind::kUdpBlocked, "udp-blocked"}};
constexpr double kMaxMs = 60'000;
constexpr std::int64_t kMinMtu = 576, kMaxMtu = 9000;

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

/// ISO 3166-1 alpha-2, in form.
bool good_country(std::string_view text) {
  return text.size() == 2 && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

Duration from_ms(double ms) { return Duration(static_cast<std::int64_t>(ms * 1e6)); }

/// Defaults of a file, overridden by each table.
struct Fallback {
  Access access;
  Path path;
  Duration mapping_timeout = std::chrono::seconds(120);
};

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  Result<Topology> read(const toml::table& root) {
    known(root, {"seed", "defaults", "region", "link", "carrier", "lan", "node"});
    if (const auto seed = integer(root, "seed", 0, INT64_MAX)) out_.seed = static_cast<std::uint64_t>(*seed);
    if (const auto* table = root["defaults"].as_table()) defaults(*table);
    each(root, "region", [this](const toml::table& t) { region(t); });
    out_.paths.resize(out_.regions.size() * out_.regions.size());
    given_.assign(out_.paths.size(), false);
    each(root, "region", [this](const toml::table& t) { inside(t); });
    each(root, "link", [this](const toml::table& t) { link(t); });
    each(root, "carrier", [this](const toml::table& t) { router(t, true); });
    each(root, "lan", [this](const toml::table& t) { router(t, false); });
    each(root, "node", [this](const toml::table& t) { nodes(t); });
    check();
    if (!problems_.empty()) return fail(ErrorCode::kInvalid, fmt::format("{}", fmt::join(problems_, "\n")));
    return std::move(out_);
  }

 private:
  void problem(const toml::node& at, std::string text) {
    constexpr std::size_t kMost = 20;
    if (problems_.size() < kMost)
      problems_.push_back(fmt::format("{}:{}: {}", file_, at.source().begin.line, std::move(text)));
  }

  template <class F>
  void each(const toml::table& root, std::string_view key, F&& f) {
    const auto* node = root.get(key);
    if (node == nullptr) return;
    const auto* list = node->as_array();
    if (list == nullptr) return problem(*node, fmt::format("write [[{}]], a list of tables", key));
    for (const auto& item : *list) {
      if (const auto* table = item.as_table())
        f(*table);
      else
        problem(item, fmt::format("each {} is a table: [[{}]]", key, key));
    }
  }

  void known(const toml::table& table, std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : table)
      if (std::ranges::find(keys, key.str()) == keys.end())
        problem(value, fmt::format("unknown key {}; known here: {}", key.str(), fmt::join(keys, ", ")));
  }

  std::optional<std::int64_t> integer(const toml::table& table, std::string_view key, std::int64_t low,
                                      std::int64_t high) {
    const auto* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
    if (!value || *value < low || *value > high) {
      problem(*node, fmt::format("{} is a whole number from {} to {}", key, low, high));
      return std::nullopt;
    }
    return value;
  }

  std::optional<double> number(const toml::table& table, std::string_view key, double low, double high) {
    const auto* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value || !(*value >= low && *value <= high)) {
      problem(*node, fmt::format("{} is a number from {} to {}", key, low, high));
      return std::nullopt;
    }
    return value;
  }

  std::string text(const toml::table& table, std::string_view key) {
    const auto* node = table.get(key);
    if (node == nullptr) return {};
    const auto value = node->value<std::string>();
    if (!node->is_string() || !value) problem(*node, fmt::format("{} is a string", key));
    return value.value_or("");
  }

  void path_keys(const toml::table& table, Path& path) {
    if (const auto ms = number(table, "latency_ms", 0, kMaxMs)) path.latency = from_ms(*ms);
    if (const auto ms = number(table, "jitter_ms", 0, kMaxMs)) path.jitter = from_ms(*ms);
    if (const auto loss = number(table, "loss", 0, 1)) path.loss = *loss;
  }

  void access_keys(const toml::table& table, Access& access) {
    constexpr double kMaxMbit = 4'000'000;
    if (const auto ms = number(table, "access_ms", 0, kMaxMs)) access.latency = from_ms(*ms);
    if (const auto rate = number(table, "up_mbit", 0, kMaxMbit))
      access.up_kbit = static_cast<std::uint32_t>(*rate * 1e3);
    if (const auto rate = number(table, "down_mbit", 0, kMaxMbit))
      access.down_kbit = static_cast<std::uint32_t>(*rate * 1e3);
    if (const auto kib = integer(table, "queue_kib", 2, 65536))
      access.queue_bytes = static_cast<std::uint32_t>(*kib) * 1024;
    if (const auto mtu = integer(table, "mtu", kMinMtu, kMaxMtu)) access.mtu = static_cast<std::uint32_t>(*mtu);
    if (const auto loss = number(table, "access_loss", 0, 1)) access.loss = *loss;
    const std::string address = text(table, "address");
    if (address.empty()) return;
    const auto ip = parse_ip(address);
    if (!ip || !is_ipv4(*ip) || !is_global_unicast(*ip))
      problem(*table.get("address"), fmt::format("address {}: a public IPv4 address is expected", address));
    else if (ip->bytes[12] == 45)
      problem(*table.get("address"), fmt::format("address {}: 45.0.0.0/8 is where addresses are chosen from", address));
    else if (!addresses_.insert(*ip).second)
      problem(*table.get("address"), fmt::format("address {} is given twice", address));
    else
      access.address = *ip;
  }

  void defaults(const toml::table& table) {
    known(table, {"latency_ms", "jitter_ms", "loss", "access_ms", "access_loss", "up_mbit", "down_mbit", "queue_kib",
                  "mtu", "mapping_timeout_s"});
    path_keys(table, fallback_.path);
    access_keys(table, fallback_.access);
    if (table.get("latency_ms") != nullptr) any_latency_ = true;
    if (const auto s = integer(table, "mapping_timeout_s", 1, 86'400))
      fallback_.mapping_timeout = std::chrono::seconds(*s);
  }

  /// Whether the name may be used; says so if not.
  bool name_of(const toml::table& table, std::set<std::string>& used, std::string_view kind, const std::string& name) {
    if (!good_name(name)) {
      problem(table, fmt::format("{} \"{}\": a name has 1 to {} of a-z, 0-9 and -", kind, name, kMaxNameBytes));
      return false;
    }
    if (!used.insert(name).second) {
      problem(table, fmt::format("{} {} is described twice", kind, name));
      return false;
    }
    return true;
  }

  void region(const toml::table& table) {
    known(table, {"name", "country", "latency_ms", "jitter_ms", "loss"});
    const std::string name = text(table, "name"), country = text(table, "country");
    if (!name_of(table, region_names_, "region", name)) return;
    if (!country.empty() && !good_country(country)) problem(table, "country: two capital letters, as \"DE\"");
    if (out_.regions.size() == kMaxRegions) return problem(table, fmt::format("more than {} regions", kMaxRegions));
    out_.regions.push_back({name, country});
  }

  void inside(const toml::table& table) {
    const auto index = region_index(text(table, "name"));
    if (!index) return;
    Path path = fallback_.path;
    path_keys(table, path);
    set_path(*index, *index, path);
  }

  void link(const toml::table& table) {
    known(table, {"between", "latency_ms", "jitter_ms", "loss"});
    const auto* ends = table["between"].as_array();
    std::array<std::optional<std::size_t>, 2> index;
    if (ends == nullptr || ends->size() != 2) return problem(table, "a link has between = [\"region\", \"region\"]");
    for (std::size_t i = 0; i < 2; ++i) {
      index[i] = region_index(ends->get(i)->value_or(std::string()));
      if (!index[i]) return problem(*ends->get(i), "no such region");
    }
    if (*index[0] == *index[1]) return problem(table, "the path inside a region is described by the region itself");
    if (given_[*index[0] * out_.regions.size() + *index[1]]) return problem(table, "this link is described twice");
    Path path = fallback_.path;
    path_keys(table, path);
    set_path(*index[0], *index[1], path);
  }

  void set_path(std::size_t a, std::size_t b, const Path& path) {
    for (const auto at : {a * out_.regions.size() + b, b * out_.regions.size() + a}) {
      out_.paths[at] = path;
      given_[at] = true;
    }
  }

  std::optional<std::size_t> region_index(std::string_view name) const {
    const auto at = std::ranges::find(out_.regions, name, &Region::name);
    if (at == out_.regions.end()) return std::nullopt;
    return static_cast<std::size_t>(at - out_.regions.begin());
  }

  /// The region that a table names; the only one may be left out.
  std::optional<std::size_t> region_of(const toml::table& table) {
    const std::string name = text(table, "region");
    if (name.empty() && out_.regions.size() == 1) return 0;
    const auto index = region_index(name);
    if (!index)
      problem(table, name.empty() ? std::string("region is missing") : fmt::format("no region is called {}", name));
    return index;
  }

  std::optional<NatKind> nat_of(const toml::table& table) {
    const auto* node = table.get("nat");
    if (node == nullptr) return std::nullopt;
    const auto kind = parse_nat(node->value_or(std::string_view()));
    if (!kind) {
      std::vector<std::string_view> names;
      for (const auto& k : kKinds) names.push_back(k.name);
      problem(*node, fmt::format("nat is one of {}", fmt::join(names, ", ")));
    }
    return kind;
  }

  void add_router(const toml::table& table, Router router) {
    if (out_.routers.size() == kMaxRouters) return problem(table, fmt::format("more than {} routers", kMaxRouters));
    const std::size_t index = out_.routers.size();
    if (router.subnet.empty())
      router.subnet = router.carrier ? fmt::format("100.64.{}", index + 1) : fmt::format("192.168.{}", index + 1);
    out_.routers.push_back(std::move(router));
  }

  bool flag(const toml::table& table, std::string_view key) {
    const auto* node = table.get(key);
    if (node == nullptr) return false;
    if (!node->is_boolean()) problem(*node, fmt::format("{} is true or false", key));
    return node->value_or(false);
  }

  /// "192.168.1.0/24" as "192.168.1".
  std::string subnet_of(const toml::table& table) {
    const std::string given = text(table, "subnet");
    if (given.empty()) return {};
    const auto prefix = parse_prefix(given);
    if (!prefix || !is_ipv4(prefix->address) || prefix->bits != 120 || is_global_unicast(prefix->address)) {
      problem(*table.get("subnet"), "subnet: a private IPv4 /24 is expected, as \"192.168.1.0/24\"");
      return {};
    }
    const std::string whole = to_string(prefix->address);
    return whole.substr(0, whole.rfind('.'));
  }

  void carrier_key(const toml::table& table, Router& router) {
    const std::string name = text(table, "carrier");
    if (name.empty()) return;
    const auto index = out_.find_router(name);
    if (!index || !out_.routers[*index].carrier)
      return problem(*table.get("carrier"), fmt::format("no [[carrier]] is called {}", name));
    router.carrier_router = index;
    router.region = out_.routers[*index].region;
    router.access.mtu = std::min(router.access.mtu, out_.routers[*index].access.mtu);
  }

  void router(const toml::table& table, bool carrier) {
    if (carrier)
      known(table, {"name", "region", "nat", "subnet", "mapping_timeout_s", "access_ms", "access_loss", "up_mbit",
                    "down_mbit", "queue_kib", "mtu", "address"});
    else
      known(table, {"name", "region", "nat", "carrier", "port_mapping", "subnet", "mapping_timeout_s", "access_ms",
                    "access_loss", "up_mbit", "down_mbit", "queue_kib", "mtu", "address"});
    Router router;
    router.name = text(table, "name");
    router.carrier = carrier;
    router.access = fallback_.access;
    router.nat = carrier ? NatKind::kSymmetric : NatKind::kPortRestricted;
    router.mapping_timeout = fallback_.mapping_timeout;
    if (!name_of(table, router_names_, carrier ? "carrier" : "lan", router.name)) return;
    if (const auto kind = nat_of(table)) router.nat = *kind;
    if (router.nat == NatKind::kOpen)
      return problem(table, "a router is not open: leave it out, nodes are open by themselves");
    access_keys(table, router.access);
    router.subnet = subnet_of(table);
    router.port_mapping = flag(table, "port_mapping");
    if (const auto s = integer(table, "mapping_timeout_s", 1, 86'400))
      router.mapping_timeout = std::chrono::seconds(*s);
    if (!carrier) carrier_key(table, router);
    if (!router.carrier_router) {
      const auto region = region_of(table);
      if (!region) return;
      router.region = *region;
    }
    add_router(table, std::move(router));
  }

  void nodes(const toml::table& table) {
    known(table,
          {"name", "index", "count", "region", "nat", "lan", "carrier", "port_mapping", "subnet", "mapping_timeout_s",
           "access_ms", "access_loss", "up_mbit", "down_mbit", "queue_kib", "mtu", "address"});
    const auto count = integer(table, "count", 1, static_cast<std::int64_t>(kMaxNodes)).value_or(1);
    if (count > 1 && (table.get("name") != nullptr || table.get("index") != nullptr || table.get("address") != nullptr))
      return problem(table, "count excludes name, index and address: the nodes are numbered on");
    for (std::int64_t i = 0; i < count; ++i) {
      std::string name = text(table, "name");
      const auto index = integer(table, "index", 1, static_cast<std::int64_t>(kMaxNodes));
      if (index && !name.empty()) return problem(table, "name and index exclude each other: index = 5 is node-5");
      if (index) name = fmt::format("node-{}", *index);
      if (name.empty()) name = next_name();
      if (!node(table, name)) return;
    }
  }

  std::string next_name() const {
    for (std::size_t i = 1;; ++i)
      if (std::string name = fmt::format("node-{}", i); !node_names_.contains(name)) return name;
  }

  bool node(const toml::table& table, const std::string& name) {
    if (!name_of(table, node_names_, "node", name)) return false;
    if (out_.nodes.size() == kMaxNodes) {
      problem(table, fmt::format("more than {} nodes", kMaxNodes));
      return false;
    }
    Node node;
    node.name = name;
    const std::string lan = text(table, "lan");
    if (!lan.empty()) {
      for (const char* key : {"region", "nat", "carrier", "port_mapping", "subnet", "mapping_timeout_s", "access_ms",
                              "access_loss", "up_mbit", "down_mbit", "queue_kib", "mtu", "address"})
        if (const auto* value = table.get(key)) problem(*value, fmt::format("{} belongs to the lan", key));
      const auto index = out_.find_router(lan);
      if (!index || out_.routers[*index].carrier) {
        problem(*table.get("lan"), fmt::format("no [[lan]] is called {}", lan));
        return false;
      }
      node.router = index;
      node.region = out_.routers[*index].region;
      out_.nodes.push_back(std::move(node));
      return true;
    }
    const NatKind kind = nat_of(table).value_or(table.get("carrier") ? NatKind::kPortRestricted : NatKind::kOpen);
    if (kind == NatKind::kOpen) {
      for (const char* key : {"carrier", "port_mapping", "subnet", "mapping_timeout_s"})
        if (const auto* value = table.get(key))
          problem(*value, fmt::format("{} belongs to a router; the node is open", key));
      node.access = fallback_.access;
      access_keys(table, node.access);
      const auto region = region_of(table);
      if (!region) return false;
      node.region = *region;
      out_.nodes.push_back(std::move(node));
      return true;
    }
    return routed(table, std::move(node), kind);
  }

  /// A node with a router of its own.
  bool routed(const toml::table& table, Node node, NatKind kind) {
    Router router;
    router.name = node.name;
    router.nat = kind;
    router.access = fallback_.access;
    router.mapping_timeout = fallback_.mapping_timeout;
    if (!name_of(table, router_names_, "router", router.name)) return false;
    access_keys(table, router.access);
    router.subnet = subnet_of(table);
    router.port_mapping = flag(table, "port_mapping");
    if (const auto s = integer(table, "mapping_timeout_s", 1, 86'400))
      router.mapping_timeout = std::chrono::seconds(*s);
    carrier_key(table, router);
    if (!router.carrier_router) {
      const auto region = region_of(table);
      if (!region) return false;
      router.region = *region;
    } else if (table.get("region") != nullptr) {
      problem(*table.get("region"), "region belongs to the carrier");
    }
    node.region = router.region;
    node.router = out_.routers.size();
    add_router(table, std::move(router));
    out_.nodes.push_back(std::move(node));
    return true;
  }

  void check() {
    const std::string file(file_);
    if (out_.regions.empty()) problems_.push_back(file + ":1: there is no [[region]]");
    if (out_.nodes.empty()) problems_.push_back(file + ":1: there is no [[node]]");
    for (std::size_t a = 0; a < out_.regions.size(); ++a)
      for (std::size_t b = a + 1; b < out_.regions.size(); ++b) {
        if (given_[a * out_.regions.size() + b]) continue;
        if (any_latency_)
          set_path(a, b, fallback_.path);
        else
          problems_.push_back(fmt::format("{}:1: there is no [[link]] between {} and {}, and no defaults.latency_ms",
                                          file, out_.regions[a].name, out_.regions[b].name));
      }
    std::set<std::string> subnets;
    for (const auto& router : out_.routers)
      if (router.carrier && !subnets.insert(router.subnet).second)
        problems_.push_back(fmt::format("{}:1: two carriers use {}.0/24", file, router.subnet));
  }

  std::string_view file_;
  Topology out_;
  Fallback fallback_;
  bool any_latency_ = false;
  std::vector<bool> given_;
  std::set<Ipv6> addresses_;
  std::set<std::string> region_names_, router_names_, node_names_;
  std::vector<std::string> problems_;
};

}  // namespace

std::string_view to_string(NatKind kind) { return std::ranges::find(kKinds, kind, &KindName::kind)->name; }

std::optional<NatKind> parse_nat(std::string_view text) {
  const auto* at = std::ranges::find(kKinds, text, &KindName::name);
  if (at == kKinds.end()) return std::nullopt;
  return at->kind;
}

std::optional<std::size_t> Topology::find_node(std::string_view name) const {
  const auto at = std::ranges::find(nodes, name, &Node::name);
  if (at == nodes.end()) return std::nullopt;
  return static_cast<std::size_t>(at - nodes.begin());
}

std::optional<std::size_t> Topology::find_router(std::string_view name) const {
  const auto at = std::ranges::find(routers, name, &Router::name);
  if (at == routers.end()) return std::nullopt;
  return static_cast<std::size_t>(at - routers.begin());
}

Result<Topology> parse_topology(std::string_view toml, std::string_view file_name) {
  if (toml.size() > kMaxTopologyFile)
    return fail(ErrorCode::kInvalid, fmt::format("{}: larger than {} bytes", file_name, kMaxTopologyFile));
  try {
    const toml::table root = toml::parse(toml, file_name);
    return Reader(file_name).read(root);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description()));
  }
}

}  // namespace bonus::net::topology
