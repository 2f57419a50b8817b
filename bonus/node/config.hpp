// The configuration of bonusd: a TOML file. One table of keys (config_keys.cpp) drives parsing, defaults, documentation
// and the generated example.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/log.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::node {

/// Where to listen. An empty host means: do not listen. Port 0: any free one; the node writes the one it got to
/// endpoints.json.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  std::string key;  ///< The configuration key it came from ("rpc.listen"), for messages.
  [[nodiscard]] bool enabled() const { return !host.empty(); }
  [[nodiscard]] std::string to_string() const;
};
/// "127.0.0.1:8545", "[::1]:8545", "localhost:0". kInvalid says what is wrong.
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

struct ConfigPeer {
  Ed25519PublicKey key;
  std::string endpoint;  ///< "host:port" of the node-to-node service.
};

struct Config {
  struct Node {
    std::string data_dir;
    std::string key_file;          ///< Ed25519 seed as hexadecimal; made when missing.
    std::string account_key_file;  ///< secp256k1 secret as hexadecimal, or empty.
    std::string account_keystore;  ///< V3 keystore, or empty.
    std::string account_password_file;
    bool bookkeeper = false, worker = false, gateway = false;
    std::string genesis;
    std::uint64_t threads = 2;
  } node;
  struct Log {
    log::Level level = log::Level::kInfo;
    bool json = false;
    std::string file;
  } log;
  struct Net {
    ListenAddress listen;
    std::string advertise;  ///< "host:port" for others; empty: the listen address.
    std::vector<ConfigPeer> peers;
    std::string name_space;  ///< Name or path; empty: where bonusd is started.
    std::uint64_t mtu = 1420;
    bool allow_private = false, reachable = false, map_ports = true, relay = false, exit = false;
    ListenAddress tls_listen, dns_listen;
    std::vector<net::Prefix> exit_private, subnets;
    std::optional<NodeId> use_exit;
    std::vector<std::pair<NodeId, net::Prefix>> accept;
    std::string subnet_device, country, isp;
    std::vector<Address> invite_accounts;
    std::vector<net::UdpEndpoint> dns_upstreams;
  } net;
  struct Rpc {
    ListenAddress listen;
    std::string cors;
    std::vector<std::string> hosts;
    std::uint64_t max_connections = 0;
    std::uint64_t max_websockets = 0;
    std::uint64_t timeout_s = 0;
    std::uint64_t max_log_blocks = 0;
  } rpc;
  struct Chain {
    std::uint64_t trie_blocks = 0, history_blocks = 0;  ///< 0: all.
  } chain;
  ListenAddress api, registry, gateway, metrics;
  struct Storage {
    std::string path;
    std::uint64_t quota_bytes = 0;
  } storage;
  struct Mempool {
    std::uint64_t max_transactions = 0;
    std::uint64_t max_bytes = 0;
    std::uint64_t max_per_sender = 0;
  } mempool;
  struct Worker {
    std::uint32_t cpu_millis = 0, memory_mib = 0, disk_mib = 0;  ///< 0: measured at start ("auto").
    uint256 cpu_price, memory_price, disk_price;                 ///< Wei per core-hour, GiB-hour, GiB-hour.
    std::uint8_t tier = 1;
    std::string region;
    uint256 bond;               ///< Wei; 0: the genesis minimum.
    std::uint8_t runtimes = 1;  ///< Bit 0 runc, as in IMarket.
    std::uint64_t start_timeout_s = 60;
  } worker;
  struct Vm {
    std::string state_dir, shim, runc;
    std::uint64_t max_containers = 0;
    std::uint64_t layer_cache_bytes = 0;
    std::uint64_t log_bytes = 0, log_files = 0, log_retention_s = 0;
  } vm;
  struct Consensus {
    std::uint64_t message_delay_ms = 0, build_ms = 0, execute_ms = 0;
  } consensus;
};

/// Reads TOML text. Relative paths are taken from `base_dir`. All problems are reported, one a line, as
/// "file:line: key: what is wrong". Unknown keys are refused with the nearest known one.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& file_name,
                                          const std::string& base_dir);
/// The same from a file; relative paths are taken from its folder.
[[nodiscard]] Result<Config> load_config(const std::string& path);

/// A complete, commented configuration file: every key, its meaning, its default.
[[nodiscard]] std::string config_example();
/// A Markdown table of all keys, the body of docs/operating/node.md's reference section.
[[nodiscard]] std::string config_reference();

}  // namespace bonus::node
