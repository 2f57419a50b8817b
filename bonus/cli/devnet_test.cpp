// What a devnet is made of, its state file, ports and processes. No bonusd runs here.
#include "bonus/cli/devnet.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <set>

#include "bonus/base/units.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/rpc_client.hpp"
#include "bonus/cli/run_testing.hpp"

namespace bonus::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

DevnetOptions options_in(const std::string& dir, std::size_t nodes) {
  DevnetOptions out;
  out.dir = dir;
  out.nodes = nodes;
  return out;
}

TEST(Devnet, Roles) {
  EXPECT_THAT(devnet_roles(0, 1), ElementsAre("bookkeeper", "worker", "gateway"));
  EXPECT_THAT(devnet_roles(0, 4), ElementsAre("bookkeeper", "gateway"));
  EXPECT_THAT(devnet_roles(3, 4), ElementsAre("bookkeeper", "worker"));
  EXPECT_THAT(devnet_roles(4, 6), ElementsAre("worker"));
}

TEST(Devnet, GenesisFundsThePublicAccountsAndNamesTheBookkeepers) {
  const TemporaryFolder folder;
  const auto net = make_devnet(options_in(folder.path() + "/net", 6));
  ASSERT_TRUE(net) << net.error().message;
  const auto text = read_text(net->dir + "/genesis.json");
  ASSERT_TRUE(text);
  const auto genesis = chain::Genesis::from_json(*text);
  ASSERT_TRUE(genesis) << genesis.error().message;
  EXPECT_EQ(genesis->chain_id, 7777u);
  EXPECT_EQ(genesis->name, "bonus-devnet");
  ASSERT_EQ(genesis->bookkeepers.size(), 4u);
  std::set<std::string> endpoints;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(genesis->bookkeepers[i].key, net->nodes[i].key);
    EXPECT_EQ(crypto::to_checksum(genesis->bookkeepers[i].account), net->nodes[i].account);
    endpoints.insert(genesis->bookkeepers[i].endpoint);
  }
  EXPECT_EQ(endpoints.size(), 4u);
  EXPECT_EQ(genesis->balances.size(), 8u);
  const auto user = crypto::parse_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266").value();
  EXPECT_EQ(genesis->balances.at(user), kWeiPerBnc * uint256(1'000'000));
  EXPECT_FALSE(genesis->balances.contains(genesis->foundation));
}

TEST(Devnet, FilesArePrivateAndASecondOneIsRefused) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/net";
  ASSERT_TRUE(make_devnet(options_in(dir, 2)));
  for (const char* name : {"/node-1/node.key", "/node-2/account.key", "/devnet.json", "/wallets/dev.json"}) {
    struct stat info{};
    ASSERT_EQ(::stat((dir + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
  const auto again = make_devnet(options_in(dir, 2));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kExists);
  EXPECT_FALSE(make_devnet(options_in(folder.path() + "/none", 0)));
  EXPECT_FALSE(make_devnet(options_in(folder.path() + "/many", 1000)));
}

TEST(Devnet, ConfigurationByRole) {
  const TemporaryFolder folder;
  auto net = make_devnet(options_in(folder.path() + "/net", 4));
  ASSERT_TRUE(net);
  const std::string gateway = devnet_config(*net, 0, true), worker = devnet_config(*net, 2, true);
  EXPECT_THAT(gateway, HasSubstr("roles = [\"bookkeeper\", \"gateway\"]"));
  EXPECT_THAT(gateway, Not(HasSubstr("[worker]")));
  EXPECT_THAT(gateway, HasSubstr("[registry]\nlisten = \"127.0.0.1:0\""));
  EXPECT_THAT(worker, HasSubstr("[worker]"));
  EXPECT_THAT(worker, HasSubstr("[registry]\nlisten = \"\""));
  EXPECT_THAT(worker, HasSubstr("listen = \"127.0.0.1:" + std::to_string(net->nodes[2].net_port)));
  EXPECT_THAT(devnet_config(*net, 1, true), Not(HasSubstr("cpu_price = \"0.022\"")));
}

constexpr std::string_view kTopology = R"(
[[region]]
name = "europe"
country = "DE"
latency_ms = 8
[[region]]
name = "asia"
latency_ms = 12
[[link]]
between = ["europe", "asia"]
latency_ms = 110
[[node]]
count = 4
region = "europe"
[[node]]
region = "asia"
nat = "symmetric"
[[node]]
region = "asia"
)";

DevnetOptions with_topology(const std::string& dir, std::size_t nodes, std::string_view text = kTopology) {
  DevnetOptions out = options_in(dir, nodes);
  out.topology = text;
  out.topology_file = "some.toml";
  return out;
}

TEST(Devnet, ATopologyGivesNodesTheirAddresses) {
  const TemporaryFolder folder;
  const auto net = make_devnet(with_topology(folder.path() + "/net", 6));
  ASSERT_TRUE(net) << net.error().message;
  const auto genesis = chain::Genesis::from_json(read_text(net->dir + "/genesis.json").value()).value();
  std::set<std::string> hosts;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& endpoint = genesis.bookkeepers[i].endpoint;
    EXPECT_THAT(endpoint, ::testing::EndsWith(":" + std::to_string(net->nodes[i].net_port)));
    EXPECT_THAT(endpoint, Not(HasSubstr("127.0.0.1")));
    EXPECT_THAT(devnet_config(*net, i, true), HasSubstr("advertise = \"" + endpoint + "\""));
    hosts.insert(endpoint.substr(0, endpoint.rfind(':')));
  }
  EXPECT_EQ(hosts.size(), 4u);

  const std::string home = devnet_config(*net, 4, true), server = devnet_config(*net, 5, true);
  EXPECT_THAT(home,
              HasSubstr("listen = \"0.0.0.0:" + std::to_string(net->nodes[4].net_port) + "\"\nnamespace = \"bn-d"));
  EXPECT_THAT(home, HasSubstr("-node-5\"\n"));
  EXPECT_THAT(home, HasSubstr("region = \"asia\""));
  EXPECT_THAT(home, Not(HasSubstr("advertise")));
  EXPECT_THAT(home, Not(HasSubstr("private = true")));
  EXPECT_THAT(home, HasSubstr("[api]\nlisten = \"127.0.0.1:0\""));
  EXPECT_THAT(server, HasSubstr("advertise"));
  EXPECT_THAT(server, Not(HasSubstr("reachable = true")));
  EXPECT_THAT(devnet_config(*net, 0, true), HasSubstr("country = \"DE\""));

  const auto back = Devnet::load(net->dir);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(devnet_config(*back, 4, true), home);
  EXPECT_EQ(back->to_json(), net->to_json());
}

TEST(Devnet, ATopologyMustFit) {
  const TemporaryFolder folder;
  const auto more = make_devnet(with_topology(folder.path() + "/a", 7));
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().message, HasSubstr("no node-7"));
  const auto hidden = make_devnet(
      with_topology(folder.path() + "/b", 2, "[[region]]\nname = \"x\"\n[[node]]\n[[node]]\nnat = \"full-cone\"\n"));
  ASSERT_FALSE(hidden);
  EXPECT_THAT(hidden.error().message, HasSubstr("node-2 is full-cone"));
  const auto broken = make_devnet(with_topology(folder.path() + "/c", 2, "[[regio]]\n"));
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("some.toml:1: unknown key regio"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/a")) << "nothing is made before the topology is read";
}

TEST(Devnet, ADevnetKeepsItsTopology) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/net", file = folder.path() + "/t.toml";
  ASSERT_TRUE(make_devnet(options_in(dir, 1)));
  std::ofstream(file) << "[[region]]\nname = \"x\"\n[[node]]\n";
  const Ran ran = run_bonus({"devnet", "up", "--detach", "--dir", dir, "--topology", file}, {{"HOME", folder.path()}});
  EXPECT_NE(ran.code, kExitOk);
  // The test program has no bonusd beside it in some builds; with one, the conflict is what stops it.
  EXPECT_THAT(ran.err, ::testing::AnyOf(HasSubstr("made without a topology"), HasSubstr("bonusd belongs beside")));
}

TEST(Devnet, ARestartAsksForTheSamePortsWhileTheyAreFree) {
  const TemporaryFolder folder;
  auto net = make_devnet(options_in(folder.path() + "/net", 1));
  ASSERT_TRUE(net);
  const auto port = free_ports(1).value().front();
  net->nodes[0].rpc = "http://127.0.0.1:" + std::to_string(port);
  EXPECT_THAT(devnet_config(*net, 0, true), HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(devnet_config(*net, 0, false), Not(HasSubstr("127.0.0.1:" + std::to_string(port))));
}

TEST(Devnet, PortsDiffer) {
  const auto ports = free_ports(32);
  ASSERT_TRUE(ports);
  EXPECT_EQ(std::set<std::uint16_t>(ports->begin(), ports->end()).size(), 32u);
  EXPECT_FALSE(port_is_free(0));
}

TEST(Devnet, StateSurvives) {
  const TemporaryFolder folder;
  auto net = make_devnet(options_in(folder.path() + "/net", 3));
  ASSERT_TRUE(net);
  net->nodes[1].pid = 4711;
  net->nodes[1].start_ticks = 12345;
  net->nodes[1].api = "http://127.0.0.1:1";
  ASSERT_TRUE(net->save());
  const auto back = Devnet::load(net->dir);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->to_json(), net->to_json());
}

TEST(Devnet, DamagedStateIsRefused) {
  for (const char* text :
       {"", "{}", "[]", R"({"version":2})", R"({"version":1,"nodes":[]})", R"({"version":1,"nodes":[{"name":"../x"}]})",
        R"({"version":1,"nodes":[{"name":"a","key":"zz"}]})"})
    EXPECT_FALSE(Devnet::from_json(text)) << text;
}

TEST(Devnet, OnlyTheProcessThatWasStartedIsEnded) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  DevnetNode node;
  node.name = "node-1";
  node.pid = child;
  node.start_ticks = 1;  // of another process that had this number
  EXPECT_FALSE(is_running(node));
  const auto foreign = stop_node(node, SIGTERM, std::chrono::seconds(1));
  ASSERT_TRUE(foreign);
  EXPECT_FALSE(*foreign);
  EXPECT_EQ(::kill(child, 0), 0) << "a foreign process must not be touched";

  std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  node.start_ticks = std::stoull(field);
  EXPECT_TRUE(is_running(node));
  const auto ended = stop_node(node, SIGTERM, std::chrono::seconds(10));
  ASSERT_TRUE(ended);
  EXPECT_TRUE(*ended);
  EXPECT_FALSE(is_running(node));
}

TEST(Devnet, CommandsWithoutOne) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> variables{{"HOME", folder.path()}};
  EXPECT_EQ(run_bonus({"devnet", "status"}, variables).code, kExitNotFound);
  EXPECT_EQ(run_bonus({"devnet", "down"}, variables).code, kExitOk);
  EXPECT_EQ(run_bonus({"devnet", "node", "kill", "node-1"}, variables).code, kExitNotFound);
  const Ran comma = run_bonus({"devnet", "down", "--dir", folder.path() + "/a,b"}, variables);
  EXPECT_EQ(comma.code, kExitFailed);
  EXPECT_THAT(comma.err, HasSubstr("overlayfs"));
}

TEST(Devnet, PurgeRemovesWhatWasMade) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/net";
  ASSERT_TRUE(make_devnet(options_in(dir, 2)));
  const Ran ran = run_bonus({"devnet", "down", "--purge", "--dir", dir}, {{"HOME", folder.path()}});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(dir));
}

}  // namespace
}  // namespace bonus::cli
