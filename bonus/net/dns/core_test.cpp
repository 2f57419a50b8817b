// The DNS core without sockets: names of the node itself, bounds, caches, refusals.
#include "bonus/net/dns/core_testing.hpp"

namespace bonus::net::dns {
namespace {

using namespace std::chrono_literals;
using testing::CoreTest;
using testing::ip;
using testing::name;

TEST_F(CoreTest, ZonesAreCachedAndTheirTtlRunsDown) {
  start(config());
  EXPECT_EQ(local("alice.bonus", type::kAaaa).answers[0].ttl, 120u);
  now_ += 50s;
  EXPECT_EQ(local("web.alice.bonus", type::kAaaa).answers[0].ttl, 70u);
  EXPECT_EQ(lookups_, 1);
  now_ += 71s;
  EXPECT_EQ(local("alice.bonus", type::kAaaa).answers[0].ttl, 120u);
  EXPECT_EQ(lookups_, 2);
  core_->forget("alice");
  local("alice.bonus", type::kTxt);
  EXPECT_EQ(lookups_, 3);
}

TEST_F(CoreTest, MissingNamesAreCachedForAShortTime) {
  start(config());
  EXPECT_EQ(local("nobody.bonus", type::kAaaa).header.rcode, rcode::kNxDomain);
  EXPECT_EQ(local("x.nobody.bonus", type::kTxt).header.rcode, rcode::kNxDomain);
  EXPECT_EQ(lookups_, 2) << "one for the name, one for a lease of that name";
  now_ += 31s;
  local("nobody.bonus", type::kAaaa);
  EXPECT_EQ(lookups_, 4);
}

TEST_F(CoreTest, ARegisteredNameHidesALease) {
  start(config());
  const Message message = local("alice.bonus", type::kAaaa);
  ASSERT_EQ(message.answers.size(), 1u);
  EXPECT_EQ(to_hex(message.answers[0].rdata), to_hex(ip("fd00::a11c:e")));
  // Also when it cannot be looked up: then nothing is known, least of all a lease.
  source_.errors["shop"] = ErrorCode::kUnavailable;
  EXPECT_EQ(local("shop.bonus", type::kAaaa).header.rcode, rcode::kServFail);
}

TEST_F(CoreTest, ExistenceIsTold) {
  start(config());
  struct Case {
    const char* text;
    std::uint16_t query_type, code;
    std::size_t answers;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"_tcp.alice.bonus", type::kSrv, rcode::kNoError, 0},  // empty, but something is below it
           {"_udp.alice.bonus", type::kSrv, rcode::kNxDomain, 0},
           {"alice.bonus", type::kHttps, rcode::kNoError, 0},
           {"alice.bonus", type::kA, rcode::kNoError, 0},
           {"a.apps.alice.bonus", type::kAaaa, rcode::kNoError, 1},
           {"a.b.apps.alice.bonus", type::kAaaa, rcode::kNoError, 1},
           {"apps.alice.bonus", type::kAaaa, rcode::kNoError, 0},
           {"a.web.alice.bonus", type::kAaaa, rcode::kNxDomain, 0},
           {"www.alice.bonus", type::kCname, rcode::kNoError, 1},
           {"www.alice.bonus", type::kTxt, rcode::kNoError, 1},  // the CNAME, then no data
           {"loop.bob.bonus", type::kAaaa, rcode::kServFail, 0},
           {"out.bob.bonus", type::kAaaa, rcode::kServFail, 0},
           {"home.bob.bonus", type::kAaaa, rcode::kNoError, 0},  // names cannot lead into a home network
           {"Not_Allowed.bonus", type::kAaaa, rcode::kNxDomain, 0},
           {"ali.bonus", type::kAaaa, rcode::kNoError, 2},  // an alias beside a text: addresses, no CNAME
           {"ali.bonus", type::kTxt, rcode::kNoError, 1},
           {"ali.bonus", type::kCname, rcode::kNoError, 0},
           {"node.bonus", type::kAaaa, rcode::kNoError, 1},
           {"gateway.bonus", type::kAaaa, rcode::kNoError, 1},
           {"localhost.bonus", type::kAaaa, rcode::kNxDomain, 0},
           {"order-9.bonus", type::kAaaa, rcode::kNoError, 1},
           {"world.bob.bonus", type::kAaaa, rcode::kNoError, 1},
           {"lease-8.bonus", type::kAaaa, rcode::kNxDomain, 0},
           {"bonus", type::kAaaa, rcode::kNoError, 0},
           {"d.f.ip6.arpa", type::kSoa, rcode::kNoError, 1},
           {"0.d.f.ip6.arpa", type::kPtr, rcode::kNoError, 0},
           {"00.d.f.ip6.arpa", type::kPtr, rcode::kNxDomain, 0},
           {"localhost", type::kA, rcode::kNoError, 1},
           {"a.localhost", type::kAaaa, rcode::kNoError, 1},
           {"x.onion", type::kA, rcode::kNxDomain, 0},
           {R"(we\.b.alice.bonus)", type::kAaaa, rcode::kNxDomain, 0}}) {
    const Message message = local(c.text, c.query_type);
    EXPECT_EQ(message.header.rcode, c.code) << c.text;
    EXPECT_EQ(message.answers.size(), c.answers) << c.text;
    if (c.code != rcode::kServFail) EXPECT_TRUE(c.answers > 0 || !message.authority.empty()) << c.text;
  }
  EXPECT_TRUE(take<OpenExchange>().empty()) << "nothing of this goes outside";
}

TEST_F(CoreTest, AliasesBesideTextsAreFlattened) {
  start(config());
  const Message message = local("ali.bonus", type::kAaaa);
  ASSERT_EQ(message.answers.size(), 2u);
  for (const Record& record : message.answers) {
    EXPECT_EQ(record.owner, name("ali.bonus"));
    EXPECT_EQ(record.type, type::kAaaa);
    EXPECT_EQ(record.ttl, 7u) << "the entry's own";
  }
}

TEST_F(CoreTest, WhatCannotBeRegisteredIsNotLookedUp) {
  start(config());
  source_.names["ab"] = source_.names["42"] = source_.names["xn--a"] = source_.names["alice"];
  for (const char* text : {"ab.bonus", "42.bonus", "xn--a.bonus", "order-8.bonus"})
    EXPECT_EQ(local(text, type::kAaaa).header.rcode, rcode::kNxDomain) << text;
}

TEST_F(CoreTest, NodeNamesNeedNobody) {
  start(config());
  NodeId id;
  id.bytes.fill(9);
  const Message message = local(node_name(id), type::kAaaa);
  ASSERT_EQ(message.answers.size(), 1u);
  EXPECT_EQ(to_hex(message.answers[0].rdata), to_hex(overlay_address(id)));
  EXPECT_EQ(local("x." + node_name(id), type::kAaaa).header.rcode, rcode::kNxDomain);
  EXPECT_EQ(lookups_, 0);
}

TEST_F(CoreTest, ServicesBringTheirAddresses) {
  start(config());
  const Message message = local("_http._tcp.alice.bonus", type::kSrv);
  EXPECT_EQ(message.answers.size(), 1u);
  EXPECT_EQ(message.additional.size(), 2u);
}

TEST_F(CoreTest, ReverseNamesAreConfirmed) {
  start(config());
  const Message message = local(reverse_name(ip("fd00::a11c:e")), type::kPtr);
  ASSERT_EQ(message.answers.size(), 1u);
  EXPECT_EQ(to_hex(message.answers[0].rdata), to_hex(name("alice.bonus").wire()));
  EXPECT_EQ(local(reverse_name(ip("fd00::bad")), type::kPtr).header.rcode, rcode::kNxDomain);
  EXPECT_EQ(local(reverse_name(ip("fd00::1")), type::kPtr).header.rcode, rcode::kNxDomain);
  NodeId id;
  id.bytes.fill(3);
  source_.reverses[overlay_address(id)] = {node_name(id)};
  EXPECT_EQ(local(reverse_name(overlay_address(id)), type::kPtr).answers.size(), 1u);
}

TEST_F(CoreTest, QuestionsUnderWayAreShared) {
  start(config());
  ask("alice.bonus", type::kAaaa);
  client_.token = 43;
  send(testing::query("ALICE.bonus", type::kAaaa, std::nullopt, 77), client_);
  ask("alice.bonus", type::kTxt);
  settle();
  EXPECT_EQ(lookups_, 1);
  const std::vector<Reply> replies = take<Reply>();
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].client.token, 42u);
  EXPECT_EQ(replies[1].client.token, 43u);
  const Message second = parse_message(replies[1].message).value();
  EXPECT_EQ(second.header.id, 77);
  EXPECT_EQ(second.questions[0].name, name("ALICE.bonus"));
}

TEST_F(CoreTest, ASourceThatNeverAnswersIsGivenUp) {
  start(config());
  ask("alice.bonus", type::kAaaa);
  EXPECT_EQ(core_->pending(), 1u);
  ASSERT_EQ(core_->next_timer(), now_ + 8s);
  const std::vector<Lookup> lookups = take<Lookup>();
  advance(8s);
  EXPECT_EQ(reply().header.rcode, rcode::kServFail);
  EXPECT_EQ(core_->pending(), 0u);
  EXPECT_EQ(core_->next_timer(), std::nullopt);
  core_->on_zone(lookups[0].id, source_.names["alice"], now_, actions_);  // too late
  EXPECT_TRUE(actions_.empty());
  EXPECT_EQ(local("alice.bonus", type::kAaaa).answers.size(), 1u);
}

TEST_F(CoreTest, BoundsHold) {
  CoreConfig small = config();
  small.max_pending = 3;
  small.max_pending_per_source = 2;
  start(small);
  for (const char* label : {"aaa.bonus", "bbb.bonus"}) ask(label, type::kAaaa);
  EXPECT_TRUE(take<Reply>().empty());
  ask("ccc.bonus", type::kAaaa);
  EXPECT_EQ(reply().header.rcode, rcode::kServFail) << "the source's own bound";
  client_.address = ip("127.0.0.2");
  ask("ccc.bonus", type::kAaaa);
  EXPECT_TRUE(take<Reply>().empty());
  ask("ddd.bonus", type::kAaaa);
  EXPECT_EQ(reply().header.rcode, rcode::kServFail) << "everybody's";
  EXPECT_EQ(core_->counters().overloaded, 2u);
  settle();
  EXPECT_EQ(take<Reply>().size(), 3u);
  ask("ddd.bonus", type::kAaaa);
  settle();
  EXPECT_EQ(take<Reply>().size(), 1u);
}

TEST_F(CoreTest, TheCacheForgetsTheOldest) {
  CoreConfig small = config();
  small.cache_bytes = 16 << 10;
  start(small);
  for (int i = 0; i < 200; ++i) local("name" + std::to_string(i) + ".bonus", type::kAaaa);
  EXPECT_GT(core_->counters().cache_evictions, 300u);
  const int before = lookups_;
  local("name199.bonus", type::kAaaa);
  EXPECT_EQ(lookups_, before);
  local("name0.bonus", type::kAaaa);
  EXPECT_EQ(lookups_, before + 2);
}

TEST_F(CoreTest, BadQuestionsGetTheirCodes) {
  start(config());
  const auto code = [&](const Bytes& wire) {
    send(wire, client_);
    const std::vector<Reply> replies = take<Reply>();
    if (replies.empty()) return -1;
    EXPECT_LE(replies[0].message.size(), std::max<std::size_t>(wire.size(), 12) + 11);
    return static_cast<int>(replies[0].message[3] & 15);
  };
  Bytes good = testing::query("nobody.bonus", type::kAaaa);
  Bytes response = good;
  response[2] |= 0x80;
  EXPECT_EQ(code(response), -1) << "answering an answer makes loops";
  EXPECT_EQ(code({1, 2, 3}), -1);
  Bytes update = good;
  update[2] = 5 << 3;
  EXPECT_EQ(code(update), rcode::kNotImp);
  Bytes none = good;
  none[5] = 0;
  EXPECT_EQ(code(none), rcode::kFormErr);
  Bytes two = good;
  two[5] = 2;
  EXPECT_EQ(code(two), rcode::kFormErr);
  Bytes with_answer = good;
  with_answer[7] = 1;
  EXPECT_EQ(code(with_answer), rcode::kFormErr);
  EXPECT_EQ(code(Bytes(good.begin(), good.end() - 1)), rcode::kFormErr);
  EXPECT_EQ(code(testing::query("bonus", type::kAxfr)), rcode::kRefused);
  EXPECT_EQ(code(testing::query("bonus", type::kMailb)), rcode::kNotImp);
  Bytes chaos = good;
  chaos.back() = 3;
  EXPECT_EQ(code(chaos), rcode::kRefused);
  EXPECT_EQ(
      code(testing::query("bonus", type::kA, Edns{.udp_size = 512, .version = 1, .dnssec_ok = false, .options = {}})),
      0)
      << "the low bits of BADVERS";
}

TEST_F(CoreTest, RecursionIsForThoseWhoMay) {
  start(config());
  client_.address = ip("fd00::99");
  ask("example.com", type::kA);
  EXPECT_EQ(reply().header.rcode, rcode::kRefused);
  client_.address = ip("fd00::53");
  Bytes iterative = testing::query("example.com", type::kA);
  iterative[2] = 0;
  send(iterative, client_);
  EXPECT_EQ(reply().header.rcode, rcode::kRefused) << "RD was not set";
  ask("example.com", type::kA);
  exchange();
  core_->set_upstreams({});
  ask("other.com", type::kA);
  EXPECT_EQ(reply().header.rcode, rcode::kRefused) << "nobody to ask";
}

TEST_F(CoreTest, AForgedSourceGetsNothingMuchLarger) {
  NameEntry entry;
  entry.addresses = {ip("fd00::1")};
  entry.texts = {std::string(1000, 'x')};
  NameZone zone;
  zone.entries = {entry};
  source_.names["large"] = zone;
  auto with = config();
  const Ipv6 stranger = ip("2001:4860::1");
  with.may_be_forged = [stranger](const Ipv6& source) { return source == stranger; };
  start(with);
  const Edns edns{.udp_size = 4096, .version = 0, .dnssec_ok = false, .options = {}};
  const Bytes question = testing::query("large.bonus", type::kTxt, edns);
  const auto answer = [&](const Client& client, const Bytes& asked) {
    send(asked, client);
    settle();
    auto replies = take<Reply>();
    EXPECT_EQ(replies.size(), 1u);
    return replies.empty() ? Bytes() : replies[0].message;
  };
  const Bytes cut = answer({stranger, false, 1}, question);
  EXPECT_LE(cut.size(), 2 * question.size());
  EXPECT_TRUE(parse_message(cut).value().header.tc);
  EXPECT_EQ(parse_message(answer({stranger, true, 1}, question)).value().answers.size(), 1u) << "TCP proves the source";
  EXPECT_EQ(parse_message(answer({ip("192.168.1.2"), false, 1}, question)).value().answers.size(), 1u);
  const Bytes address = answer({stranger, false, 1}, testing::query("large.bonus", type::kAaaa, edns));
  EXPECT_EQ(parse_message(address).value().answers.size(), 1u) << "one address fits";
}

TEST_F(CoreTest, ForeignZonesAreCutToTheirBounds) {
  start(config());
  NameZone wild;
  wild.ttl_s = 1u << 31;
  for (int i = 0; i < 500; ++i)
    wild.entries.push_back({.sub = "s" + std::to_string(i),
                            .addresses = std::vector<Ipv6>(100, ip("fd00::5")),
                            .texts = {std::string(5000, 'x'), "ok"},
                            .services = {},
                            .alias = {}});
  source_.names["wild"] = wild;
  const Message addresses = local("s3.wild.bonus", type::kAaaa);
  EXPECT_TRUE(addresses.answers.size() == kMaxEntryValues || addresses.header.tc);
  const Message texts = local("s3.wild.bonus", type::kTxt);
  ASSERT_EQ(texts.answers.size(), 1u);
  EXPECT_EQ(texts.answers[0].ttl, 3600u);
  EXPECT_EQ(local("s400.wild.bonus", type::kTxt).header.rcode, rcode::kNxDomain);
}

}  // namespace
}  // namespace bonus::net::dns
