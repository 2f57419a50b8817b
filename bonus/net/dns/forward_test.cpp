// The DNS core without sockets: what is forwarded, validated and kept.
#include "bonus/net/dns/core_testing.hpp"

namespace bonus::net::dns {
namespace {

using namespace std::chrono_literals;
using ForwardTest = testing::CoreTest;
using testing::ip;
using testing::kFirst, testing::kInner, testing::kSecond;
using testing::name;

TEST_F(ForwardTest, ForwardsAndCaches) {
  start(config());
  ask("Example.com", type::kA);
  const OpenExchange open = exchange();
  EXPECT_EQ(open.server, kFirst);
  EXPECT_FALSE(open.stream);
  const Message question = parse_message(open.message).value();
  EXPECT_EQ(question.questions[0].name, name("Example.com"));
  EXPECT_TRUE(question.edns && question.edns->udp_size == 1232 && question.header.rd);
  deliver(open, address_answer(open));
  ASSERT_EQ(take<CloseExchange>().size(), 1u);
  Message message = reply();
  EXPECT_TRUE(message.header.ra && !message.header.aa);
  EXPECT_EQ(message.answers[0].ttl, 60u);
  now_ += 59s;
  ask("example.COM", type::kA);
  message = reply();
  EXPECT_EQ(message.answers[0].ttl, 1u);
  EXPECT_EQ(message.questions[0].name, name("example.COM"));
  now_ += 1s;
  ask("example.com", type::kA);
  exchange();
}

TEST_F(ForwardTest, IdsAreNotPredictable) {
  start(config());
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 50; ++i) {
    ask("n" + std::to_string(i) + ".com", type::kA);
    ids.insert(parse_message(exchange().message).value().header.id);
  }
  EXPECT_GT(ids.size(), 45u);
}

TEST_F(ForwardTest, NegativeAnswersAreCachedBySoa) {
  start(config());
  ask("missing.com", type::kA);
  const OpenExchange open = exchange();
  Message negative = answer_to(open, rcode::kNxDomain);
  negative.authority.push_back(
      {name("com"), type::kSoa, kClassIn, 300, soa_rdata(name("a.com"), name("b.com"), 1, 2, 3, 4, 20)});
  deliver(open, negative);
  EXPECT_EQ(reply().header.rcode, rcode::kNxDomain);
  now_ += 19s;
  ask("missing.com", type::kA);
  EXPECT_EQ(reply().header.rcode, rcode::kNxDomain);
  now_ += 1s;
  ask("missing.com", type::kA);
  const OpenExchange again = exchange();
  deliver(again, answer_to(again, rcode::kNxDomain));  // without SOA: not to be kept
  reply();
  ask("missing.com", type::kA);
  exchange();
}

TEST_F(ForwardTest, ForgeriesAreIgnored) {
  start(config());
  ask("example.com", type::kA);
  const OpenExchange open = exchange();
  const auto forged = [&](const std::function<void(Message&)>& change) {
    Message message = address_answer(open);
    change(message);
    deliver(open, message);
    EXPECT_TRUE(take<Reply>().empty());
  };
  forged([](Message& m) { ++m.header.id; });
  forged([](Message& m) { m.header.qr = false; });
  forged([](Message& m) { m.questions[0].name = name("example.net"); });
  forged([](Message& m) { m.questions[0].type = type::kAaaa; });
  forged([](Message& m) { m.questions.clear(); });
  core_->on_message(open.id, Bytes{1, 2}, now_, actions_);
  core_->on_message(open.id + 1, open.message, now_, actions_);
  EXPECT_TRUE(actions_.empty());
  EXPECT_EQ(core_->counters().upstream_mismatched, 6u);
  // Somebody who keeps guessing drives us to TCP, where there is nothing to guess.
  for (int i = 0; i < 10; ++i) core_->on_message(open.id, Bytes{1, 2}, now_, actions_);
  const OpenExchange stream = exchange();
  EXPECT_TRUE(stream.stream);
  deliver(stream, address_answer(stream));
  EXPECT_EQ(reply().answers.size(), 1u);
}

TEST_F(ForwardTest, TruncationGoesOverToTcp) {
  start(config());
  ask("example.com", type::kA);
  const OpenExchange open = exchange();
  Message cut = answer_to(open);
  cut.header.tc = true;
  deliver(open, cut);
  const OpenExchange stream = exchange();
  EXPECT_TRUE(stream.stream);
  EXPECT_EQ(stream.server, kFirst);
  Message full = answer_to(stream);
  for (int i = 0; i < 100; ++i)
    full.answers.push_back({name("example.com"), type::kA, kClassIn, 60, {192, 0, 2, static_cast<std::uint8_t>(i)}});
  deliver(stream, full);
  const Message message = reply();
  EXPECT_TRUE(message.header.tc && message.answers.empty()) << "too large for the client's 512 bytes";
  ask("example.com", type::kA, Edns{.udp_size = 4096, .version = 0, .dnssec_ok = false, .options = {}});
  EXPECT_TRUE(reply().header.tc) << "1648 bytes, and we never send more than 1232";
  client_.stream = true;
  ask("example.com", type::kA);
  EXPECT_EQ(reply().answers.size(), 100u);
}

TEST_F(ForwardTest, FailsOverAndComesBack) {
  start(config());
  ask("example.com", type::kA);
  exchange();
  advance(1500ms);
  const OpenExchange second = exchange();
  EXPECT_EQ(second.server, kSecond);
  deliver(second, address_answer(second));
  EXPECT_EQ(reply().answers.size(), 1u);
  ask("other.com", type::kA);
  const OpenExchange preferred = exchange();
  EXPECT_EQ(preferred.server, kSecond) << "the silent one waits";
  deliver(preferred, address_answer(preferred));
  now_ += 31s;
  ask("third.com", type::kA);
  EXPECT_EQ(exchange().server, kFirst);
}

TEST_F(ForwardTest, AllServersFail) {
  start(config());
  ask("example.com", type::kA);
  const std::vector<OpenExchange> first = take<OpenExchange>();
  core_->on_failure(first[0].id, now_, actions_);
  for (int i = 0; i < 3; ++i) advance(1500ms);
  EXPECT_EQ(reply().header.rcode, rcode::kServFail);
  EXPECT_EQ(core_->pending(), 0u);
  ask("example.com", type::kA);
  EXPECT_EQ(reply().header.rcode, rcode::kServFail) << "kept for two seconds (RFC 9520)";
  now_ += 2s;
  ask("example.com", type::kA);
  EXPECT_EQ(take<OpenExchange>().size(), 4u) << "three more attempts before, one now";
}

TEST_F(ForwardTest, APoorAnswerIsPassedOnWhenNobodyHasABetterOne) {
  start(config());
  ask("example.com", type::kA);
  const OpenExchange first = exchange();
  deliver(first, answer_to(first, rcode::kRefused));
  const OpenExchange second = exchange();
  EXPECT_EQ(second.server, kSecond);
  deliver(second, answer_to(second, rcode::kServFail));
  EXPECT_EQ(reply().header.rcode, rcode::kServFail);
}

TEST_F(ForwardTest, ServersWithoutEdnsAreAskedPlainly) {
  start(config());
  ask("example.com", type::kA);
  const OpenExchange first = exchange();
  Bytes bare(first.message.begin(), first.message.begin() + 12);
  bare[2] |= 0x80;
  bare[3] = rcode::kFormErr;
  std::fill(bare.begin() + 4, bare.end(), std::uint8_t{0});
  core_->on_message(first.id, bare, now_, actions_);
  const OpenExchange plain = exchange();
  EXPECT_EQ(plain.server, kFirst);
  EXPECT_FALSE(parse_message(plain.message).value().edns);
  deliver(plain, address_answer(plain));
  EXPECT_EQ(reply().answers.size(), 1u);
}

TEST_F(ForwardTest, SplitZonesHaveTheirOwnServers) {
  CoreConfig split = config();
  split.zones.push_back({name("corp"), {kInner}});
  split.zones.push_back({name("lab.corp"), {kSecond}});
  start(split);
  ask("a.CORP", type::kA);
  EXPECT_EQ(exchange().server, kInner);
  ask("a.lab.corp", type::kA);
  EXPECT_EQ(exchange().server, kSecond);
  ask("a.xcorp", type::kA);
  EXPECT_EQ(exchange().server, kFirst);
}

TEST_F(ForwardTest, OverlayAddressesFromOutsideAreBlocked) {
  start(config());
  ask("evil.com", type::kAaaa, Edns{.udp_size = 1232, .version = 0, .dnssec_ok = false, .options = {}});
  const OpenExchange open = exchange();
  Message message = answer_to(open);
  const Ipv6 inside = ip("fd00::a11c:e");
  message.answers.push_back({name("evil.com"), type::kAaaa, kClassIn, 60, {inside.bytes.begin(), inside.bytes.end()}});
  deliver(open, message);
  const Message out = reply();
  EXPECT_EQ(out.header.rcode, rcode::kServFail);
  EXPECT_TRUE(out.answers.empty());
  EXPECT_EQ(core_->counters().rebinding_blocked, 1u);
}

TEST_F(ForwardTest, DnssecFlagsTravel) {
  start(config());
  Bytes wire =
      testing::query("example.com", type::kA, Edns{.udp_size = 1232, .version = 0, .dnssec_ok = true, .options = {}});
  wire[3] |= 0x10;  // CD
  send(wire, client_);
  const OpenExchange open = exchange();
  const Message question = parse_message(open.message).value();
  EXPECT_TRUE(question.edns->dnssec_ok && question.header.cd);
  Message message = address_answer(open);
  message.header.ad = true;
  deliver(open, message);
  const Message out = reply();
  EXPECT_TRUE(out.header.ad && out.header.cd && out.edns->dnssec_ok);
  // Without these flags it is another question.
  ask("example.com", type::kA);
  const OpenExchange other = exchange();
  EXPECT_FALSE(parse_message(other.message).value().edns->dnssec_ok);
  deliver(other, message);
}

}  // namespace
}  // namespace bonus::net::dns
