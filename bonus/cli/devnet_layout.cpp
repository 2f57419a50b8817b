// What a devnet consists of: roles, genesis, configuration files, keys, and the state file that remembers it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "bonus/base/parse.hpp"
#include "bonus/base/units.hpp"
#include "bonus/cli/devnet.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/wallet_store.hpp"
#include "bonus/crypto/keystore.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::uint64_t kAccountBnc = 1'000'000;
constexpr std::uint64_t kWorkerBondBnc = 100;
constexpr std::uint32_t kCommitmentAgeSeconds = 3;  // of a name: long enough to be seen, short enough to be waited for
constexpr std::uint64_t kGwei = 1'000'000'000;
constexpr int kStateVersion = 1;

Result<crypto::SecretKey256> account_secret(std::uint32_t index) { return crypto::account_key(kDevnetMnemonic, index); }
Result<Address> account_address(std::uint32_t index) {
  TRY_ASSIGN(const auto key, account_secret(index));
  return crypto::address_of(key);
}

/// What /proc/meminfo says, in MiB; 2 GiB when it cannot be read.
std::uint64_t machine_memory_mib() {
  constexpr std::uint64_t kFallback = 2048;
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return kFallback;
  std::array<char, 4096> buffer{};
  const std::string_view text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  const auto at = text.find("MemTotal:");
  if (at == std::string_view::npos) return kFallback;
  return std::max<std::uint64_t>(kFallback / 4, std::strtoull(text.data() + at + 9, nullptr, 10) / 1024);
}

/// Half of the machine's memory, shared by the workers, in steps of 64 MiB.
std::string default_worker_memory(std::size_t workers) {
  const std::uint64_t share = machine_memory_mib() / 2 / std::max<std::size_t>(workers, 1);
  return fmt::format("{}Mi", std::clamp<std::uint64_t>(share / 64 * 64, 128, 4096));
}

std::string port_of_url(const std::string& url, bool keep) {
  const auto colon = url.rfind(':');
  if (!keep || colon == std::string::npos) return "0";
  const auto number = parse_node_url(url);
  if (!number) return "0";
  const std::string port = number->substr(number->rfind(':') + 1);
  return port_is_free(static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10))) ? port : "0";
}

/// Where the others find a bookkeeper.
std::string endpoint_of(const Devnet& net, const DevnetNode& node) {
  if (!net.topology) return fmt::format("127.0.0.1:{}", node.net_port);
  return fmt::format("{}:{}", to_string(net.topology->public_address(machine_of(net, node))), node.net_port);
}

std::string region_of(const Devnet& net, const DevnetNode& node) {
  const auto& topology = net.topology->topology;
  return topology.regions[topology.nodes[machine_of(net, node)].region].name;
}

/// A TOML basic string.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

bool DevnetNode::has_role(std::string_view role) const { return std::ranges::find(roles, role) != roles.end(); }

std::vector<std::string> devnet_roles(std::size_t index, std::size_t count) {
  std::vector<std::string> out;
  if (index < kDevnetBookkeepers) out.emplace_back("bookkeeper");
  // The gateway rents nothing out, so that any worker may be killed without losing the way in.
  if (index > 0 || count == 1) out.emplace_back("worker");
  if (index == 0) out.emplace_back("gateway");
  return out;
}

Result<chain::Genesis> devnet_genesis(const Devnet& net, UnixSeconds now) {
  chain::Genesis out;
  out.chain_id = kDevnetChainId;
  out.name = kDevnetName;
  out.timestamp = now;
  out.base_fee = uint256(kGwei);
  out.min_base_fee = uint256(kGwei / 1000);
  out.market.min_worker_bond = kWeiPerBnc * uint256(kWorkerBondBnc);
  out.names.emplace();
  out.names->min_commitment_age_s = kCommitmentAgeSeconds;
  for (const auto& node : net.nodes) {
    TRY_ASSIGN(const auto account, account_address(node.account_index));
    out.balances[account] = kWeiPerBnc * uint256(kAccountBnc);
    if (node.has_role("bookkeeper")) out.bookkeepers.push_back({node.key, account, endpoint_of(net, node)});
  }
  for (const std::uint32_t index : {kDevnetUserIndex, kDevnetDeveloperIndex}) {
    TRY_ASSIGN(const auto account, account_address(index));
    out.balances[account] = kWeiPerBnc * uint256(kAccountBnc);
  }
  TRY_ASSIGN(out.foundation, account_address(kDevnetFoundationIndex));
  return out;
}

std::string devnet_config(const Devnet& net, std::size_t index, bool keep_ports) {
  const DevnetNode& node = net.nodes[index];
  const std::string folder = net.node_dir(node);
  std::vector<std::string> roles;
  for (const auto& role : node.roles) roles.push_back(toml_string(role));
  const auto listen = [&](std::string_view section, const std::string& last) {
    return fmt::format("\n[{}]\nlisten = \"127.0.0.1:{}\"\n", section, port_of_url(last, keep_ports));
  };
  const bool gateway = node.has_role("gateway");
  std::string out = fmt::format(
      "# Written by `bonus devnet up`; written anew at each start.\n"
      "[node]\ndata_dir = {}\ngenesis = {}\nroles = [{}]\nkey_file = {}\naccount_key_file = {}\n",
      toml_string(folder + "/data"), toml_string(net.dir + "/genesis.json"), fmt::join(roles, ", "),
      toml_string(folder + "/node.key"), toml_string(folder + "/account.key"));
  out += net.topology
             ? topology_config(net, node)
             : fmt::format(
                   "\n[net]\nlisten = \"127.0.0.1:{}\"\n"
                   "# Loopback addresses are good ones here, nothing is in between, and no router need be asked.\n"
                   "private = true\nreachable = true\nmap_ports = false\n",
                   node.net_port);
  if (gateway) {
    const auto user = account_address(kDevnetUserIndex);
    if (user) out += fmt::format("invite_accounts = [\"{}\"]\n", crypto::to_checksum(*user));
  }
  out += listen("rpc", node.rpc) + listen("api", node.api) + listen("metrics", node.metrics);
  // Web pages opened from this machine may ask the devnet.
  const auto rpc = out.find("[rpc]\n") + 6;
  out.insert(rpc, "cors = [\"*\"]\n");
  if (gateway) {
    out += listen("registry", node.registry) + listen("gateway", node.gateway);
  } else {
    out += "\n[registry]\nlisten = \"\"\n\n[gateway]\nlisten = \"\"\n";
  }
  if (node.has_role("worker")) {
    const auto workers = static_cast<std::size_t>(
        std::ranges::count_if(net.nodes, [](const DevnetNode& n) { return n.has_role("worker"); }));
    // Different prices make a market; the differences are small.
    constexpr std::uint64_t kBase = 20, kStep = 1;  // thousandths of a BNC per core and hour
    out += fmt::format("\n[worker]\ncpu = {}\nmemory = {}\ndisk = {}\ncpu_price = \"0.0{}\"\nregion = {}\n",
                       toml_string(net.worker_cpu.empty() ? "auto" : net.worker_cpu),
                       toml_string(net.worker_memory.empty() ? default_worker_memory(workers) : net.worker_memory),
                       toml_string(net.worker_disk.empty() ? "8Gi" : net.worker_disk), kBase + kStep * (index % 4),
                       toml_string(net.topology ? region_of(net, node) : "local"));
    out += fmt::format("\n[vm]\nstate_dir = {}\n", toml_string(folder + "/containers"));
  }
  return out;
}

Result<Devnet> make_devnet(const DevnetOptions& options) {
  if (options.nodes == 0 || options.nodes > kMaxDevnetNodes)
    return fail(ErrorCode::kInvalid, fmt::format("a devnet has 1 to {} nodes", kMaxDevnetNodes));
  Devnet net;
  if (!options.topology.empty()) {
    TRY_ASSIGN(net.topology, plan_for_devnet(options));
  }
  net.dir = options.dir;
  net.worker_cpu = options.worker_cpu;
  net.worker_memory = options.worker_memory;
  net.worker_disk = options.worker_disk;
  if (fs::exists(net.state_file()))
    return fail(ErrorCode::kExists, fmt::format("{} holds a devnet already", options.dir));
  TRY(make_private_folder(options.dir));
  TRY_ASSIGN(const auto ports, free_ports(options.nodes));
  for (std::size_t i = 0; i < options.nodes; ++i) {
    DevnetNode node;
    node.name = fmt::format("node-{}", i + 1);
    node.roles = devnet_roles(i, options.nodes);
    node.net_port = ports[i];
    node.account_index = kDevnetFirstNodeIndex + static_cast<std::uint32_t>(i);
    crypto::Ed25519Seed seed;
    seed.bytes = crypto::random_secret().bytes;
    const auto pair = crypto::Ed25519KeyPair::from_seed(seed);
    node.key = pair.public_key();
    node.id = to_hex(crypto::node_id(node.key));
    TRY_ASSIGN(const auto secret, account_secret(node.account_index));
    TRY_ASSIGN(const auto account, crypto::address_of(secret));
    node.account = crypto::to_checksum(account);
    const std::string folder = options.dir + "/" + node.name;
    TRY(make_private_folder(folder));
    TRY(write_text(folder + "/node.key", to_hex(seed) + "\n", 0600));
    TRY(write_text(folder + "/account.key", to_hex(secret) + "\n", 0600));
    net.nodes.push_back(std::move(node));
  }
  TRY_ASSIGN(const auto genesis, devnet_genesis(net, runtime::system_clock().unix_s()));
  TRY(write_text(net.dir + "/genesis.json", genesis.to_json() + "\n", 0644));
  const WalletStore wallets(net.dir + "/wallets");
  TRY_ASSIGN(const auto user, account_secret(kDevnetUserIndex));
  if (!wallets.info("dev")) {
    auto added = wallets.add("dev", user, "");
    if (!added) return fail(std::move(added).error());
  }
  TRY(net.save());
  return net;
}

json::object Devnet::to_json() const {
  json::array list;
  for (const auto& node : nodes) {
    json::array roles;
    for (const auto& role : node.roles) roles.emplace_back(role);
    list.push_back(json::object{{"name", node.name},
                                {"roles", std::move(roles)},
                                {"key", to_hex(node.key)},
                                {"id", node.id},
                                {"account_index", node.account_index},
                                {"account", node.account},
                                {"net_port", node.net_port},
                                {"rpc", node.rpc},
                                {"api", node.api},
                                {"registry", node.registry},
                                {"gateway", node.gateway},
                                {"metrics", node.metrics},
                                {"pid", node.pid},
                                {"start_ticks", node.start_ticks}});
  }
  json::object out{{"version", kStateVersion},   {"dir", dir},
                   {"worker_cpu", worker_cpu},   {"worker_memory", worker_memory},
                   {"worker_disk", worker_disk}, {"nodes", std::move(list)}};
  if (topology) out["topology"] = json::object{{"file", topology->file_name}, {"toml", topology->toml}};
  return out;
}

Result<Devnet> Devnet::from_json(std::string_view text) {
  boost::system::error_code bad;
  const json::value root = json::parse(text, bad);
  if (bad || json_number(root, "version") != kStateVersion)
    return fail(ErrorCode::kInvalid, "not the state of a devnet (version 1)");
  Devnet out;
  out.dir = json_text(root, "dir");
  out.worker_cpu = json_text(root, "worker_cpu");
  out.worker_memory = json_text(root, "worker_memory");
  out.worker_disk = json_text(root, "worker_disk");
  const auto* list = json_member(root, "nodes").if_array();
  if (list == nullptr || list->empty() || list->size() > kMaxDevnetNodes)
    return fail(ErrorCode::kInvalid, "the devnet's state lists no nodes");
  for (const auto& item : *list) {
    DevnetNode node;
    node.name = json_text(item, "name");
    if (!valid_name(node.name)) return fail(ErrorCode::kInvalid, "a node of the devnet has no name");
    if (const auto* roles = json_member(item, "roles").if_array(); roles != nullptr)
      for (const auto& role : *roles)
        if (role.is_string()) node.roles.emplace_back(role.get_string());
    TRY_ASSIGN(node.key, fixed_from_hex<Ed25519PublicKey>(json_text(item, "key")));
    node.id = json_text(item, "id");
    node.account = json_text(item, "account");
    node.account_index = static_cast<std::uint32_t>(json_number(item, "account_index"));
    node.net_port = static_cast<std::uint16_t>(json_number(item, "net_port"));
    node.rpc = json_text(item, "rpc");
    node.api = json_text(item, "api");
    node.registry = json_text(item, "registry");
    node.gateway = json_text(item, "gateway");
    node.metrics = json_text(item, "metrics");
    node.pid = static_cast<std::int64_t>(json_number(item, "pid"));
    node.start_ticks = json_number(item, "start_ticks");
    out.nodes.push_back(std::move(node));
  }
  if (const json::value& topology = json_member(root, "topology"); topology.is_object()) {
    DevnetOptions options;
    options.dir = out.dir;
    options.nodes = out.nodes.size();
    options.topology = json_text(topology, "toml");
    options.topology_file = json_text(topology, "file");
    TRY_ASSIGN(out.topology, plan_for_devnet(options));
  }
  return out;
}

Result<> Devnet::save() const { return write_text(state_file(), pretty(to_json()) + "\n", 0600); }

Result<Devnet> Devnet::load(const std::string& dir) {
  auto text = read_text(dir + "/devnet.json");
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, fmt::format("there is no devnet in {}; start one: bonus devnet up", dir));
  if (!text) return fail(std::move(text).error());
  auto out = from_json(*text);
  if (!out) return fail(std::move(out).error().wrap(dir + "/devnet.json"));
  out->dir = dir;
  return out;
}

}  // namespace bonus::cli
