// Good and bad configuration files.
#include "bonus/node/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/base/units.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {
namespace {

using ::testing::HasSubstr;

TEST(Config, EmptyFileGivesDefaults) {
  auto config = parse_config("", "empty.toml", "/etc/bonus");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node.data_dir, "/var/lib/bonus");
  EXPECT_EQ(config->node.key_file, "/var/lib/bonus/node.key");
  EXPECT_EQ(config->node.account_key_file, "/var/lib/bonus/account.key");
  EXPECT_EQ(config->rpc.listen.to_string(), "127.0.0.1:8545");
  EXPECT_EQ(config->rpc.listen.key, "rpc.listen");
  EXPECT_FALSE(config->node.bookkeeper);
  EXPECT_EQ(config->storage.quota_bytes, 20ULL << 30);
  EXPECT_EQ(config->worker.cpu_millis, 0u);
  EXPECT_EQ(config->worker.cpu_price, kWeiPerBnc / uint256(50));
  EXPECT_EQ(config->consensus.message_delay_ms, 150u);
}

TEST(Config, EveryKindOfValue) {
  const crypto::Ed25519KeyPair key = crypto::Ed25519KeyPair::from_seed({});
  const std::string hex = to_hex(key.public_key().view()), id = to_hex(crypto::node_id(key.public_key()).view());
  auto config = parse_config(R"(
[node]
data_dir = "data"
roles = ["bookkeeper", "worker"]
[net]
listen = "[::1]:0"
peers = [{key = ")" + hex + R"(", endpoint = "10.0.0.1:7071", id = ")" +
                                 id + R"("}]
[registry]
listen = ""
[worker]
cpu = 1.5
memory = "2Gi"
disk = "10Gi"
cpu_price = "0.5"
bond = 100
tier = "super"
)",
                             "f.toml", "/srv/x");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node.data_dir, "/srv/x/data");
  EXPECT_EQ(config->storage.path, "/srv/x/data/blobs");
  EXPECT_TRUE(config->node.bookkeeper && config->node.worker && !config->node.gateway);
  EXPECT_EQ(config->net.listen.to_string(), "[::1]:0");
  ASSERT_EQ(config->net.peers.size(), 1u);
  EXPECT_EQ(config->net.peers[0].key, key.public_key());
  EXPECT_FALSE(config->registry.enabled());
  EXPECT_EQ(config->worker.cpu_millis, 1500u);
  EXPECT_EQ(config->worker.memory_mib, 2048u);
  EXPECT_EQ(config->worker.disk_mib, 10240u);
  EXPECT_EQ(config->worker.cpu_price, kWeiPerBnc / uint256(2));
  EXPECT_EQ(config->worker.bond, kWeiPerBnc * uint256(100));
  EXPECT_EQ(config->worker.tier, 2);
}

struct Bad {
  const char* text;
  const char* message;
};
class BadConfig : public ::testing::TestWithParam<Bad> {};
TEST_P(BadConfig, IsRefusedWithItsPlace) {
  auto config = parse_config(GetParam().text, "f.toml", "/");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(config.error().message, HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadConfig,
    ::testing::Values(
        Bad{"[node]\ndata_dri = \"x\"", "f.toml:2: unknown key node.data_dri; did you mean node.data_dir?"},
        Bad{"[nod]\ndata_dir = \"x\"", "f.toml:1: unknown section [nod]; did you mean [node]?"},
        Bad{"[node]\nquota = \"1Gi\"", "did you mean storage.quota?"},
        Bad{"data_dir = \"x\"", "f.toml:1: unknown section [data_dir]"},
        Bad{"[node]\nroles = [\"miner\"]", "f.toml:2: node.roles: \"miner\" is not a role"},
        Bad{"[node]\nroles = \"worker\"", "expected a list"}, Bad{"[node]\nthreads = 0", "0 is outside 1..64"},
        Bad{"[node]\nthreads = \"two\"", "expected a whole number"}, Bad{"[node]\nthreads = -1", "-1 is outside"},
        Bad{"[log]\nlevel = \"loud\"", "f.toml:2: log.level"}, Bad{"[log]\njson = 1", "expected true or false"},
        Bad{"\n\n[rpc]\nlisten = \"8545\"", "f.toml:4: rpc.listen: \"8545\" is not an address"},
        Bad{"[rpc]\nlisten = \"127.0.0.1:99999\"", "is not an address"},
        Bad{"[rpc]\nlisten = \"::1:80\"", "is not an address"},
        Bad{"[net]\nlisten = \"\"", "net.listen: a node must listen for others"},
        Bad{"[net]\nadvertise = \"example.org:0\"", "needs a port other than 0"},
        Bad{"[net]\npeers = [{key = \"12\", endpoint = \"a:1\"}]", "64 hexadecimal digits"},
        Bad{"[net]\npeers = [{kay = \"12\"}]", "a peer has no \"kay\""},
        Bad{"[api]\nlisten = \"127.0.0.1:8545\"", "api.listen: 127.0.0.1:8545 is the address of rpc.listen already"},
        Bad{"[storage]\nquota = \"12 parsecs\"", "parsecs"},
        Bad{"[storage]\nquota = \"99999999999999Ti\"", "too large"},
        Bad{"[worker]\ncpu = \"many\"", "worker.cpu: cpu 'many'"}, Bad{"[worker]\ncpu = 0", "from 1m to"},
        Bad{"[worker]\ncpu_price = 0.25", "write the amount in quotes"},
        Bad{"[worker]\ncpu_price = \"1.0000000000000000001\"", "more decimals"},
        Bad{"[worker]\ntier = \"mega\"", "is not a tier"},
        Bad{"[worker]\nregion = \"Über\"", "a region has at most 32"},
        Bad{"[worker]\nruntimes = [\"gvisor\"]", "knows the runtime \"runc\""},
        Bad{"[node]\naccount_keystore = \"k.json\"", "account_password_file: needed"},
        Bad{"[node]\naccount_keystore = \"k\"\naccount_key_file = \"f\"\naccount_password_file = \"p\"", "not both"},
        Bad{"[node\n", "f.toml:1:"}, Bad{"[node]\ndata_dir = 1979-05-27", "dates and times"}));

TEST(Config, ReportsSeveralProblemsAtOnce) {
  auto config = parse_config("[node]\nthreads = 0\n[log]\nlevel = 3\n", "f.toml", "/");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("f.toml:2: "));
  EXPECT_THAT(config.error().message, HasSubstr("\nf.toml:4: "));
}

TEST(Config, ExampleIsValidAndShowsDefaults) {
  const std::string example = config_example();
  auto as_is = parse_config(example, "example.toml", "/");
  ASSERT_TRUE(as_is) << as_is.error().message;
  EXPECT_THAT(example, HasSubstr("#quota = \"20Gi\""));
  // With the defaults taken out of their comments it means the same as an empty file; keys with samples are left alone.
  std::string active;
  std::string_view rest = example;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with("#") && !line.starts_with("# ") && line.find("<") == std::string_view::npos &&
        !line.starts_with("#account"))
      line.remove_prefix(1);
    active += std::string(line) + "\n";
  }
  auto config = parse_config(active, "example.toml", "");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->storage.quota_bytes, 20ULL << 30);
}

TEST(Config, NetworkValuesAreChecked) {
  const std::string id(64, 'a');
  auto config = parse_config("[net]\nsubnets = [\"192.168.7.0/24\"]\naccept = [\"" + id +
                                 "=10.0.0.0/8\"]\nuse_exit = \"" + id + "\"\nmtu = 8920\n",
                             "f.toml", "/");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->net.accept.size(), 1u);
  EXPECT_EQ(net::to_string(config->net.accept[0].second), "10.0.0.0/8");
  EXPECT_TRUE(config->net.use_exit);
  for (const std::string bad :
       {"mtu = 1279", "subnets = [\"192.168.7.1/24\"]", "accept = [\"10.0.0.0/8\"]", "use_exit = \"abc\"",
        "dns_upstreams = [\"9.9.9.9\"]", "invite_accounts = [\"0x12\"]", "exit = 1", "listen = \"\""})
    EXPECT_FALSE(parse_config("[net]\n" + bad + "\n", "f.toml", "/")) << bad;
}

TEST(Config, TheReferencePageHasEveryKeyAsItIs) {
  const auto page = runtime::system_disk().read_file("docs/operating/node.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_THAT(std::string(as_text(*page)), HasSubstr(config_reference()))
      << "write the table of `bonusd config reference` into the page";
}

}  // namespace
}  // namespace bonus::node
