// `bonus net` against a node that answers as docs/formats/local_api.md says, and as it should not.
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <fstream>
#include <mutex>

#include "bonus/cli/environment.hpp"
#include "bonus/cli/fake_node_testing.hpp"
#include "bonus/cli/net_commands.hpp"
#include "bonus/cli/qr_text.hpp"
#include "bonus/cli/run_testing.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kId(64, 'a');
const std::string kOther = "bb" + std::string(62, '0');

class NetCommands : public ::testing::Test {
 protected:
  NetCommands()
      : node_([this](const http::Request& request, const std::string& body) {
          const std::scoped_lock lock(mutex_);
          method_ = std::string(request.method);
          target_ = std::string(request.target);
          body_ = body;
          signature_ = std::string(request.headers.get("Authorization").value_or(""));
          return answer_;
        }) {
    const WalletStore wallets(folder_.path() + "/wallets");
    crypto::SecretKey256 key;
    key.bytes[31] = 1;
    EXPECT_TRUE(wallets.add("dev", key, "").has_value());
  }
  Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), "net");
    return run_bonus(words, {{"BONUS_CONFIG_DIR", folder_.path()}, {"BONUS_NODE", node_.url()}});
  }
  void answers(std::string body, int status = 200) {
    const std::scoped_lock lock(mutex_);
    answer_ = {status, std::move(body)};
  }

  std::mutex mutex_;
  Answer answer_;
  std::string method_, target_, body_, signature_;
  TemporaryFolder folder_;
  FakeNode node_;
};

TEST_F(NetCommands, Status) {
  const json::object answer{
      {"id", kId},
      {"address", "fd00::1"},
      {"name", "alice.bonus"},
      {"port", 51820},
      {"nat", "port-restricted"},
      {"reachable", false},
      {"public_endpoints", json::array{"203.0.113.7:51820"}},
      {"relays", json::array{json::object{{"id", kOther}, {"endpoint", "203.0.113.9:1"}, {"rtt_ms", 23.07}}}},
      {"peers", 12},
      {"sessions", 8},
      {"dht", json::object{{"serves", true}, {"contacts", 312}, {"siblings", 32}, {"near_quality", 1.08}}},
      {"traffic", json::object{{"rx_bytes", 3 << 20}, {"tx_bytes", 100}, {"relayed_bytes", 2048}}},
      {"drops", json::object{{"spoofed-source", 3}, {"no-session", 0}}}};
  answers(json::serialize(answer));
  const Ran ran = run({"status"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(target_, "/v1/net/status");
  for (const char* part : {"alice.bonus", "fd00::1", "51820", "port-restricted; not reachable", "203.0.113.7:51820",
                           "bb0000000000  203.0.113.9:1  23.1 ms", "12, 8 sessions", "serves, 312 contacts", "1.08",
                           "3.0 MiB in, 100 B out, 2.0 KiB relayed", "spoofed-source 3"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  EXPECT_THAT(ran.out, Not(HasSubstr("no-session")));
  EXPECT_EQ(json::parse(run({"status", "--json"}).out), json::value(answer));
}

TEST_F(NetCommands, TablesOfPeersPathsAndTheMap) {
  answers(
      R"({"peers":[{"id":")" + kOther +
      R"(","name":null,"kind":"relayed","endpoint":"203.0.113.9:1","rtt_ms":4.5,"loss":0.015,"mtu":1280,"last_handshake_s":61,
              "rx_bytes":10,"tx_bytes":2000,"region":"cn-shanghai","flags":["dht","relay"]}]})");
  Ran ran = run({"peers"});
  for (const char* part :
       {"bb0000000000", "relayed", "4.50 ms", "1.5%", "1280", "1m1s ago", "10 B", "2.0 KiB", "dht, relay"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  answers(R"({"id":")" + kOther + R"(","address":"fd00::2","mtu":1420,"current":null,"candidates":[
      {"kind":"direct","endpoint":"203.0.113.9:1","relay":null,"state":"probing","rtt_ms":null,"last_probe_s":null}]})");
  ran = run({"path", "bob.bonus"});
  EXPECT_EQ(target_, "/v1/net/path?target=bob.bonus");
  for (const char* part : {"MTU 1420", "no path is up", "probing"}) EXPECT_THAT(ran.out, HasSubstr(part));
  EXPECT_THAT(ran.out, Not(HasSubstr("never"))) << "null is also \"not known\"";
  answers(R"({"self":")" + kId + R"(","nodes":[{"id":")" + kOther +
          R"(","region":"eu","coordinates":[1.25,-2,3],"rtt_ms":30},{"id":")" + kId +
          R"(","coordinates":[0,0,0],"rtt_ms":0},{"id":")" + kOther + R"(","region":"eu","ring":1,"rtt_ms":30}]})");
  ran = run({"map"});
  EXPECT_EQ(ran.out.find("bb0000000000"), ran.out.rfind("bb0000000000")) << "in two rings, shown once";
  EXPECT_LT(ran.out.find("this node"), ran.out.find("eu"));  // by distance
  EXPECT_THAT(ran.out, HasSubstr("height 3.0"));
  answers(
      R"({"name":"alice.bonus","address":"fd00::2","source":"chain","records":[{"name":"alice.bonus","type":"AAAA","ttl":60,"value":"fd00::2"}],
              "steps":[{"what":"chain","detail":"block 7","took_ms":0.2}]})");
  ran = run({"lookup", "a b"});
  EXPECT_EQ(target_, "/v1/net/lookup?name=a%20b");
  for (const char* part : {"alice.bonus  fd00::2", "chain", "AAAA"}) EXPECT_THAT(ran.out, HasSubstr(part));
  EXPECT_THAT(ran.err, HasSubstr("block 7"));
}

TEST_F(NetCommands, PingSumsUp) {
  answers(R"({"target":"bob.bonus","id":")" + kOther + R"(","address":"fd00::2"}
{"sequence":1,"rtt_ms":10,"kind":"relayed","endpoint":"203.0.113.9:1"}
{"sequence":2,"error":"timeout"}
not json
{"sequence":3,"rtt_ms":2.5,"kind":"direct","endpoint":"198.51.100.1:9"})");
  Ran ran = run({"ping", "bob.bonus", "-c", "3", "-i", "200ms"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(method_, "POST");
  EXPECT_EQ(json::parse(body_), json::parse(R"({"target":"bob.bonus","count":3,"interval_ms":200,"timeout_ms":2000})"));
  for (const char* part :
       {"ping bob.bonus: fd00::2", "seq=1 time=10.0 ms relayed", "seq=2 timeout", "seq=3 time=2.50 ms direct",
        "3 sent, 2 came back, 33.3% lost; least 2.50 ms, mean 6.25 ms, most 10.00 ms"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  ran = run({"ping", "bob.bonus", "--json"});
  std::istringstream lines(ran.out);
  std::string text;
  std::vector<json::value> entries;
  while (std::getline(lines, text)) entries.push_back(json::parse(text));
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries.back().at("received").to_number<int>(), 2);
  answers(R"({"sequence":1,"error":"timeout"})");
  EXPECT_EQ(run({"ping", "bob.bonus"}).code, kExitFailed);
  answers(R"({"error":{"code":"not-found","message":"nothing is called bob.bonus"}})", 404);
  ran = run({"ping", "bob.bonus"});
  EXPECT_EQ(ran.code, kExitNotFound);
  EXPECT_THAT(ran.err, HasSubstr("nothing is called bob.bonus"));
}

TEST_F(NetCommands, TraceShowsEachRelay) {
  answers(R"({"target":"bob.bonus","id":")" + kOther + R"(","address":"fd00::2","hops":[
      {"hop":1,"id":")" +
          kId + R"(","endpoint":"203.0.113.9:1","rtt_ms":5,"kind":"relay"},
      {"hop":2,"id":")" +
          kOther + R"(","endpoint":null,"rtt_ms":9,"kind":"target"}]})");
  const Ran ran = run({"trace", "bob.bonus"});
  for (const char* part : {"trace bob.bonus: fd00::2", "relay", "aaaaaaaaaaaa", "target", "9.00 ms"})
    EXPECT_THAT(ran.out, HasSubstr(part));
}

TEST_F(NetCommands, InvitationsAreSignedAndShown) {
  const std::string config =
      "[Interface]\nPrivateKey = abc=\nAddress = fd00::9/128\n\n[Peer]\nEndpoint = 203.0.113.9:1\n";
  answers(json::serialize(json::object{{"name", "phone"}, {"address", "fd00::9"}, {"exit", true}, {"config", config}}),
          201);
  Ran ran = run({"invite", "--name", "phone", "--exit"});
  EXPECT_EQ(ran.code, kExitOk) << ran.err;
  EXPECT_EQ(method_, "POST");
  EXPECT_EQ(target_, "/v1/net/invites");
  EXPECT_EQ(json::parse(body_), json::parse(R"({"name":"phone","exit":true})"));
  EXPECT_THAT(signature_, StartsWith("Bonus 0x"));
  EXPECT_THAT(ran.out, HasSubstr(config));
  EXPECT_THAT(ran.out, HasSubstr("\n# █")) << "redirected into a file it is still one for wg-quick";
  EXPECT_THAT(ran.out, Not(HasSubstr("\n█")));
  EXPECT_THAT(ran.err, HasSubstr("ends at the gateway"));
  EXPECT_THAT(run({"invite", "--no-qr"}).out, Not(HasSubstr("█")));
  // The device keeps its own key: nothing to photograph.
  const std::string own(43, 'A');
  answers(json::serialize(json::object{{"name", "phone"}, {"config", "[Interface]\nAddress = fd00::9/128\n\x1b[2J"}}),
          201);
  ran = run({"invite", "--public-key", own + "="});
  EXPECT_EQ(json::parse(body_).at("public_key").as_string(), own + "=");
  EXPECT_THAT(ran.out, Not(HasSubstr("█")));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(run({"invite", "--public-key", "short"}).code, kExitUsage);
  const std::string file = folder_.path() + "/phone.conf";
  EXPECT_EQ(run({"invite", "--out", file}).code, kExitOk);
  EXPECT_THAT(read_text(file).value(), StartsWith("[Interface]"));
  answers(R"({"name":"phone"})", 201);
  EXPECT_EQ(run({"invite"}).code, kExitFailed);
}

TEST_F(NetCommands, InvitationsAreListedAndRevoked) {
  answers(
      R"({"invites":[{"name":"phone","address":"fd00::9","public_key":"AAA=","exit":false,"created":1,"last_handshake_s":null}]})");
  EXPECT_THAT(run({"invites"}).out, HasSubstr("never"));
  answers(R"({"invites":[]})");
  EXPECT_THAT(run({"invites"}).out, HasSubstr("nobody is invited"));
  answers("{}");
  EXPECT_THAT(run({"revoke", "phone"}).out, HasSubstr("not let in any more"));
  EXPECT_EQ(method_, "DELETE");
  EXPECT_EQ(target_, "/v1/net/invites/phone");
  EXPECT_THAT(signature_, StartsWith("Bonus 0x"));
}

TEST_F(NetCommands, StrangeAnswersHarmNothing) {
  for (const char* text :
       {"[]", "null", "7", "{}", R"({"peers":7,"nodes":{},"hops":1,"candidates":null,"invites":"x"})",
        R"({"peers":[7,null,[]],"nodes":[[]],"relays":[3],"drops":[1],"dht":[],"traffic":7,"id":{}})"}) {
    answers(text);
    for (const auto& words : std::vector<std::vector<std::string>>{{"status"},
                                                                   {"peers"},
                                                                   {"map"},
                                                                   {"path", "x"},
                                                                   {"lookup", "x"},
                                                                   {"trace", "x"},
                                                                   {"ping", "x"},
                                                                   {"invites"}})
      EXPECT_LE(run(words).code, kExitDenied) << text;
  }
  answers("nonsense");
  EXPECT_EQ(run({"status"}).code, kExitFailed);
  answers(R"({"error":{"code":"unavailable","message":"the node runs without the overlay"}})", 503);
  EXPECT_THAT(run({"status"}).err, HasSubstr("without the overlay"));
}

TEST(QrText, DrawsFinderPatternsAndAQuietZone) {
  const std::string text = qr_text("hello", false).value();
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  // Version 1: 21 modules and 2 * 4 quiet ones, two rows to a line.
  ASSERT_EQ(lines.size(), 15U);
  const auto repeat = [](const std::string& what, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += what;
    return out;
  };
  EXPECT_EQ(lines[0], repeat("█", 29));
  EXPECT_EQ(lines[1], repeat("█", 29));
  // Rows 0 and 1 of the finder pattern: a dark edge of seven, then dark, five light, dark.
  EXPECT_THAT(lines[2], StartsWith(repeat("█", 4) + " " + repeat("▄", 5) + " █"));
  EXPECT_THAT(qr_text("hello", true).value(), HasSubstr("\x1b[30;107m"));
  EXPECT_FALSE(qr_text("", false).has_value());
  EXPECT_FALSE(qr_text(std::string(3000, 'a'), false).has_value());
  EXPECT_TRUE(qr_text(std::string(2900, 'a'), false).has_value());
}

TEST(NetText, Numbers) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16384.0 PiB");
  const json::value v = json::parse(R"({"a":1,"b":null,"c":"x","d":0.5,"e":""})");
  EXPECT_EQ(ms_text(v, "a"), "1.00 ms");
  EXPECT_EQ(ms_text(v, "b"), "-");
  EXPECT_EQ(ms_text(v, "c"), "-");
  EXPECT_EQ(share_text(v, "d"), "50.0%");
  EXPECT_EQ(cell(v, "e"), "-");
  EXPECT_EQ(cell(v, "missing"), "-");
}

}  // namespace
}  // namespace bonus::cli
