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
