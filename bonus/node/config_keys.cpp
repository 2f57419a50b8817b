// Every key of the configuration: its default, its meaning and its check.
#include "bonus/node/config_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bonus/node/config_values.hpp"

namespace bonus::node::config_internal {
namespace {

using C = Context;
using V = Value;
constexpr std::string_view kNone;

constexpr std::array kKeys{
    Key{"node", "data_dir", "path", R"("/var/lib/bonus")", kNone, "Everything that the node keeps lies in this folder.",
        [](C& c, const V& v) { return set_path(c.config.node.data_dir, c, v); }},
    Key{"node", "genesis", "path", R"("/etc/bonus/genesis.json")", kNone,
        "The genesis file of the chain: the same for every node.",
        [](C& c, const V& v) { return set_path(c.config.node.genesis, c, v); }},
    Key{"node", "roles", "list", "[]", R"(["bookkeeper", "worker", "gateway"])",
        "What the node does besides following the chain: \"bookkeeper\" agrees on blocks (its key must stand in the "
        "genesis "
        "file), \"worker\" rents out this machine, \"gateway\" serves the registry and leases over HTTP.",
        [](C& c, const V& v) { return set_roles(c.config, v); }},
    Key{"node", "key_file", "path", kNone, R"("node.key")",
        "The node's Ed25519 seed, 64 hexadecimal digits, mode 0600. Made at the first start. Default: "
        "<data_dir>/node.key.",
        [](C& c, const V& v) { return set_path(c.config.node.key_file, c, v); }},
    Key{"node", "account_key_file", "path", kNone, R"("account.key")",
        "The secret key of the node's account, 64 hexadecimal digits, mode 0600. A worker pays its transactions and "
        "receives its earnings there. Made at the first start when neither this nor account_keystore is set: "
        "<data_dir>/account.key.",
        [](C& c, const V& v) { return set_path(c.config.node.account_key_file, c, v); }},
    Key{"node", "account_keystore", "path", kNone, R"("account.json")",
        "Instead of account_key_file: an Ethereum V3 keystore file.",
        [](C& c, const V& v) { return set_path(c.config.node.account_keystore, c, v); }},
    Key{"node", "account_password_file", "path", kNone, R"("account.password")",
        "The first line of this file opens account_keystore.",
        [](C& c, const V& v) { return set_path(c.config.node.account_password_file, c, v); }},
    Key{"node", "threads", "number", "2", kNone,
        "Threads for connections and agents, 1..64. The chain has one of its own.",
        [](C& c, const V& v) { return set_number(c.config.node.threads, v, 1, 64); }},

    Key{"log", "level", "level", R"("info")", kNone, "\"debug\", \"info\", \"warn\" or \"error\".",
        [](C& c, const V& v) { return set_level(c.config.log.level, v); }},
    Key{"log", "json", "true/false", "false", kNone, "One JSON object per line instead of text.",
        [](C& c, const V& v) { return set_bool(c.config.log.json, v); }},
    Key{"log", "file", "path", R"("")", kNone,
        "Write there (rotated at 16 MiB, five are kept) instead of to standard error.",
        [](C& c, const V& v) { return set_path(c.config.log.file, c, v); }},

    Key{"net", "listen", "host:port", R"("0.0.0.0:7071")", kNone,
        "The UDP socket of BonusNet: everything between nodes goes through it, encrypted. Port 0 everywhere: any free "
        "one.",
        [](C& c, const V& v) { return set_listen(c.config.net.listen, "net.listen", v); }},
    Key{"net", "advertise", "host:port", R"("")", kNone,
        "Where other nodes reach net.listen, when that is known: a public address, or a port forwarded by hand. Empty: "
        "it is found out.",
        [](C& c, const V& v) -> Result<> {
          TRY_ASSIGN(const auto text, text_of(v));
          if (!text.empty()) {
            if (auto good = check_host_port(text); !good) return good;
          }
          c.config.net.advertise = text;
          return {};
        }},
    Key{"net", "peers", "list", "[]", R"([{key = "<64 hexadecimal digits>", endpoint = "203.0.113.7:7071"}])",
        "Nodes to connect to besides the bookkeepers of the genesis file and the nodes registered on the chain.",
        [](C& c, const V& v) { return set_peers(c.config.net.peers, v); }},

    Key{"net", "namespace", "name", R"("")", kNone,
        "Network namespace for the UDP socket and for what must leave the overlay: a name of `ip netns`, or a path. "
        "Empty: the one that bonusd is started in. Other listeners are not affected.",
        [](C& c, const V& v) { return set_text(c.config.net.name_space, v); }},
    Key{"net", "mtu", "bytes", "1420", kNone, "Of the overlay device, 1280..8920. Paths that carry less are found out.",
        [](C& c, const V& v) { return set_number(c.config.net.mtu, v, 1280, 8920); }},
    Key{"net", "private", "true/false", "false", kNone,
        "Treat private and loopback addresses as good ones: a network that is not the Internet.",
        [](C& c, const V& v) { return set_bool(c.config.net.allow_private, v); }},
    Key{"net", "reachable", "true/false", "false", kNone,
        "The operator vouches that net.advertise (or net.listen) is reachable for everybody; otherwise others test it.",
        [](C& c, const V& v) { return set_bool(c.config.net.reachable, v); }},
    Key{"net", "map_ports", "true/false", "true", kNone, "Ask the home router for a port, by PCP, NAT-PMP or UPnP.",
        [](C& c, const V& v) { return set_bool(c.config.net.map_ports, v); }},
    Key{"net", "relay", "true/false", "false", kNone,
        "Carry encrypted traffic between nodes that cannot reach each other. Wants a public address.",
        [](C& c, const V& v) { return set_bool(c.config.net.relay, v); }},
    Key{"net", "tls_listen", "host:port", R"("")", R"("0.0.0.0:443")",
        "Of a relay: TLS for nodes whose network blocks UDP. Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.net.tls_listen, "net.tls_listen", v); }},
    Key{"net", "exit", "true/false", "false", kNone,
        "Let nodes, their containers and this gateway's clients reach the Internet through this machine. Needs root.",
        [](C& c, const V& v) { return set_bool(c.config.net.exit, v); }},
    Key{"net", "exit_private", "list", "[]", R"(["192.168.1.0/24"])",
        "Private networks behind this machine that clients of the exit may reach; none otherwise.",
        [](C& c, const V& v) { return set_prefixes(c.config.net.exit_private, v); }},
    Key{"net", "use_exit", "node id", R"("")", kNone,
        "The node through which this one's containers that may use the Internet reach it. Empty: none.",
        [](C& c, const V& v) { return set_node_id(c.config.net.use_exit, v); }},
    Key{"net", "subnets", "list", "[]", R"(["192.168.7.0/24"])",
        "Networks behind this router that are announced to other nodes; they must accept them.",
        [](C& c, const V& v) { return set_prefixes(c.config.net.subnets, v); }},
    Key{"net", "accept", "list", "[]", R"(["<node id>=192.168.8.0/24"])",
        "Networks behind other routers that are routed to them, if they announce them.",
        [](C& c, const V& v) { return set_accept(c.config.net.accept, v); }},
    Key{"net", "subnet_device", "name", R"("")", R"("eth1")",
        "The device of this machine that net.subnets lie behind; it is moved into the node's namespace.",
        [](C& c, const V& v) { return set_text(c.config.net.subnet_device, v); }},
    Key{"net", "invite_accounts", "list", "[]", R"(["<account: 0x and 40 hexadecimal digits>"])",
        "Accounts that may invite WireGuard clients to this gateway, besides the node's own.",
        [](C& c, const V& v) { return set_accounts(c.config.net.invite_accounts, v); }},
    Key{"net", "country", "code", R"("")", R"("DE")", "Two letters, for searching nearby first. Empty: not told.",
        [](C& c, const V& v) { return set_short(c.config.net.country, v); }},
    Key{"net", "isp", "name", R"("")", R"("as3320")", "The provider, for searching nearby first. Empty: not told.",
        [](C& c, const V& v) { return set_short(c.config.net.isp, v); }},
    Key{"net", "dns_upstreams", "list", "[]", R"(["9.9.9.9:53"])",
        "DNS servers for names outside .bonus. Empty: those of the machine's resolv.conf.",
        [](C& c, const V& v) { return set_endpoints(c.config.net.dns_upstreams, v); }},
    Key{"net", "dns_listen", "host:port", R"("")", R"("127.0.0.1:5353")",
        "Answer DNS on the machine too, UDP and TCP. Empty: in the overlay only.",
        [](C& c, const V& v) { return set_listen(c.config.net.dns_listen, "net.dns_listen", v); }},

    Key{"rpc", "listen", "host:port", R"("127.0.0.1:8545")", kNone,
        "Ethereum JSON-RPC over HTTP and WebSocket. Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.rpc.listen, "rpc.listen", v); }},
    Key{"rpc", "cors", "text", R"("*")", kNone,
        "Access-Control-Allow-Origin of web pages that may call, and their Origin for WebSocket. Empty: none.",
        [](C& c, const V& v) { return set_origin(c.config.rpc.cors, v); }},
    Key{"rpc", "hosts", "list", "[]", R"(["node.example"])",
        "Names accepted in the Host header (against DNS rebinding) besides addresses and localhost; [\"*\"]: any.",
        [](C& c, const V& v) { return set_list(c.config.rpc.hosts, v); }},
    Key{"rpc", "max_connections", "number", "512", kNone, "Connections at a time, 1..65536.",
        [](C& c, const V& v) { return set_number(c.config.rpc.max_connections, v, 1, 65536); }},
    Key{"rpc", "max_websockets", "number", "256", kNone, "Of them, WebSockets. 0: none are accepted.",
        [](C& c, const V& v) { return set_number(c.config.rpc.max_websockets, v, 0, 65536); }},
    Key{"rpc", "timeout_s", "number", "30", kNone, "Seconds after which a request is given up, 1..3600.",
        [](C& c, const V& v) { return set_number(c.config.rpc.timeout_s, v, 1, 3600); }},
    Key{"rpc", "max_log_blocks", "number", "10000", kNone, "Blocks that one search of logs may span, 1..10000000.",
        [](C& c, const V& v) { return set_number(c.config.rpc.max_log_blocks, v, 1, 10'000'000); }},

    Key{"api", "listen", "host:port", R"("127.0.0.1:7070")", kNone,
        "The local API (docs/formats/local_api.md). Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.api, "api.listen", v); }},
    Key{"registry", "listen", "host:port", R"("127.0.0.1:5000")", kNone, "The OCI registry of a gateway. Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.registry, "registry.listen", v); }},
    Key{"gateway", "listen", "host:port", R"("127.0.0.1:8080")", kNone,
        "The reverse proxy of a gateway: http://<name>.localhost:<port>/ and /l/<name>/. Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.gateway, "gateway.listen", v); }},
    Key{"metrics", "listen", "host:port", R"("127.0.0.1:9464")", kNone,
        "/metrics (Prometheus), /healthz, /readyz. Empty: off.",
        [](C& c, const V& v) { return set_listen(c.config.metrics, "metrics.listen", v); }},

    Key{"storage", "path", "path", kNone, R"("blobs")", "The blob store. Default: <data_dir>/blobs.",
        [](C& c, const V& v) { return set_path(c.config.storage.path, c, v); }},
    Key{"storage", "quota", "size", R"("20Gi")", kNone, "Most that the blob store may hold.",
        [](C& c, const V& v) { return set_size(c.config.storage.quota_bytes, v, 1 << 20); }},

    Key{"chain", "trie_blocks", "number", "128", kNone,
        "Last states that are kept as a trie, for proofs. 0: all, from the genesis block on (an archive).",
        [](C& c, const V& v) { return set_number(c.config.chain.trie_blocks, v, 0, 1'000'000'000); }},
    Key{"chain", "history_blocks", "number", "100000", kNone,
        "Last states that can be read: eth_call and balances at an old block. 0: all.",
        [](C& c, const V& v) { return set_number(c.config.chain.history_blocks, v, 0, 1'000'000'000); }},
    Key{"mempool", "max_transactions", "number", "20000", kNone, "Transactions waiting in memory, 16..10000000.",
        [](C& c, const V& v) { return set_number(c.config.mempool.max_transactions, v, 16, 10'000'000); }},
    Key{"mempool", "max_bytes", "size", R"("64Mi")", kNone, "Their size in all.",
        [](C& c, const V& v) { return set_size(c.config.mempool.max_bytes, v, 1 << 20); }},
    Key{"mempool", "max_per_sender", "number", "1024", kNone,
        "Transactions of one sender that are ready for a block, 1..1000000.",
        [](C& c, const V& v) { return set_number(c.config.mempool.max_per_sender, v, 1, 1'000'000); }},

    Key{"worker", "cpu", "cores", R"("auto")", kNone,
        "Cores to rent out: 2, 1.5 or \"500m\". \"auto\": all of the machine.",
        [](C& c, const V& v) { return set_cpu(c.config.worker.cpu_millis, v); }},
    Key{"worker", "memory", "size", R"("auto")", kNone,
        "Memory to rent out. \"auto\": three quarters of the machine's.",
        [](C& c, const V& v) { return set_mebibytes(c.config.worker.memory_mib, v); }},
    Key{"worker", "disk", "size", R"("auto")", kNone, "Disk to rent out. \"auto\": half of what is free at data_dir.",
        [](C& c, const V& v) { return set_mebibytes(c.config.worker.disk_mib, v); }},
    Key{"worker", "cpu_price", "BNC", R"("0.02")", kNone, "BNC per core and hour.",
        [](C& c, const V& v) { return set_bnc(c.config.worker.cpu_price, v); }},
    Key{"worker", "memory_price", "BNC", R"("0.005")", kNone, "BNC per GiB of memory and hour.",
        [](C& c, const V& v) { return set_bnc(c.config.worker.memory_price, v); }},
    Key{"worker", "disk_price", "BNC", R"("0.0001")", kNone, "BNC per GiB of disk and hour.",
        [](C& c, const V& v) { return set_bnc(c.config.worker.disk_price, v); }},
    Key{"worker", "tier", "tier", R"("normal")", kNone, "\"lite\", \"normal\" or \"super\".",
        [](C& c, const V& v) { return set_tier(c.config.worker.tier, v); }},
    Key{"worker", "region", "name", R"("local")", kNone, "Where the machine stands, such as \"cn-shanghai\".",
        [](C& c, const V& v) { return set_region(c.config.worker.region, v); }},
    Key{"worker", "bond", "BNC", R"("0")", kNone,
        "BNC locked at registration. \"0\": the least that the genesis file asks for.",
        [](C& c, const V& v) { return set_bnc(c.config.worker.bond, v); }},
    Key{"worker", "runtimes", "list", R"(["runc"])", kNone, "Runtime classes offered.",
        [](C& c, const V& v) { return set_runtimes(c.config.worker.runtimes, v); }},
    Key{"worker", "start_timeout", "seconds", "60", kNone,
        "How long a workload may take from its start to its first open port.",
        [](C& c, const V& v) { return set_number(c.config.worker.start_timeout_s, v, 1, 3600); }},

    Key{"vm", "state_dir", "path", kNone, R"("containers")",
        "Containers, layers and logs. Default: <data_dir>/containers.",
        [](C& c, const V& v) { return set_path(c.config.vm.state_dir, c, v); }},
    Key{"vm", "shim", "path", R"("")", kNone, "The container shim. Empty: bonus-shim beside bonusd.",
        [](C& c, const V& v) { return set_path(c.config.vm.shim, c, v); }},
    Key{"vm", "runc", "command", R"("runc")", kNone, "The OCI runtime.",
        [](C& c, const V& v) { return set_text(c.config.vm.runc, v); }},
    Key{"vm", "max_containers", "number", "256", kNone, "Containers at a time, 1..256.",
        [](C& c, const V& v) { return set_number(c.config.vm.max_containers, v, 1, 256); }},
    Key{"vm", "layer_cache", "size", R"("20Gi")", kNone,
        "Unpacked image layers that no container uses are kept up to this size.",
        [](C& c, const V& v) { return set_size(c.config.vm.layer_cache_bytes, v, 0); }},
    Key{"vm", "log_size", "size", R"("8Mi")", kNone, "A container's log is rotated at this size.",
        [](C& c, const V& v) { return set_size(c.config.vm.log_bytes, v, 4096); }},
    Key{"vm", "log_files", "number", "4", kNone, "Rotated logs kept, 1..100.",
        [](C& c, const V& v) { return set_number(c.config.vm.log_files, v, 1, 100); }},
    Key{"vm", "log_retention", "seconds", "86400", kNone, "How long logs outlive their container.",
        [](C& c, const V& v) { return set_number(c.config.vm.log_retention_s, v, 0, 31'536'000); }},

    Key{"consensus", "message_delay_ms", "milliseconds", "150", kNone,
        "D0 of the specification: assumed message delay in round 0. The same on all bookkeepers.",
        [](C& c, const V& v) { return set_number(c.config.consensus.message_delay_ms, v, 1, 60'000); }},
    Key{"consensus", "build_ms", "milliseconds", "200", kNone, "B: time to build a block.",
        [](C& c, const V& v) { return set_number(c.config.consensus.build_ms, v, 1, 60'000); }},
    Key{"consensus", "execute_ms", "milliseconds", "300", kNone, "E: time to execute a block.",
        [](C& c, const V& v) { return set_number(c.config.consensus.execute_ms, v, 1, 60'000); }},
};

}  // namespace

std::span<const Key> keys() { return kKeys; }

std::string_view section_doc(std::string_view section) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kDocs{{
      {"node", "Who the node is and what it does."},
      {"log", "The node's own log."},
      {"net", "The network between nodes."},
      {"rpc", "JSON-RPC for wallets and programs."},
      {"api", "The local API for the command line and the console."},
      {"registry", "Container images."},
      {"gateway", "Leases over HTTP."},
      {"metrics", "Monitoring."},
      {"storage", "Blobs: images and workload documents."},
      {"mempool", "Transactions that wait for a block."},
      {"worker", "What a worker offers, and for how much."},
      {"vm", "How a worker runs containers."},
      {"consensus", "Timing of the agreement between bookkeepers."},
  }};
  for (const auto& [name, doc] : kDocs)
    if (name == section) return doc;
  return {};
}

void check_together(const Config& config, std::vector<std::string>& problems) {
  const auto& node = config.node;
  if (!node.account_key_file.empty() && !node.account_keystore.empty())
    problems.emplace_back("node.account_keystore: set either this or node.account_key_file, not both");
  if (!node.account_keystore.empty() && node.account_password_file.empty())
    problems.emplace_back("node.account_password_file: needed to open node.account_keystore");
  if (node.account_keystore.empty() && !node.account_password_file.empty())
    problems.emplace_back("node.account_password_file: of no use without node.account_keystore");
  if (!config.net.listen.enabled()) problems.emplace_back("net.listen: a node must listen for others");
  const std::array<const ListenAddress*, 6> all{&config.net.listen, &config.rpc.listen, &config.api,
                                                &config.registry,   &config.gateway,    &config.metrics};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (all[i]->enabled() && all[j]->enabled() && all[i]->port != 0 && all[i]->port == all[j]->port &&
          all[i]->host == all[j]->host)
        problems.push_back(
            fmt::format("{}: {} is the address of {} already", all[i]->key, all[i]->to_string(), all[j]->key));
}

}  // namespace bonus::node::config_internal
