// The DNS core without sockets: bounds, caches, failures, validation.
#include "bonus/net/dns/core.hpp"

#include <gtest/gtest.h>

#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/net/dns/message.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::dns {
namespace {

using namespace std::chrono_literals;
using testing::ip;
using testing::name;

const UdpEndpoint kFirst{ip("192.0.2.1"), 53}, kSecond{ip("192.0.2.2"), 53}, kInner{ip("198.51.100.1"), 53};

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() { testing::fill(source_); }

  CoreConfig config() {
    CoreConfig out;
    out.own_address = ip("fd00::53");
    out.upstreams = {kFirst, kSecond};
    return out;
  }
  void start(const CoreConfig& with) { core_ = std::make_unique<Core>(with, random_); }

  void send(const Bytes& wire, Client client) { core_->on_query(client, wire, now_, actions_); }
  void ask(const std::string& text, std::uint16_t query_type, std::optional<Edns> edns = std::nullopt) {
    send(testing::query(text, query_type, std::move(edns)), client_);
  }

  /// Answers every Lookup from the source until none is left; counts them.
  void settle() {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      const auto* found = std::get_if<Lookup>(&actions_[i]);
      if (found == nullptr) continue;
      const Lookup lookup = *found;
      ++lookups_;
      const auto zone = [&](Result<NameZone> z) { core_->on_zone(lookup.id, std::move(z), now_, actions_); };
      switch (lookup.kind) {
        case Lookup::Kind::kRegistered:
          source_.registered(lookup.label, zone);
          break;
        case Lookup::Kind::kLeaseById:
          source_.lease_by_id(lookup.lease, zone);
          break;
        case Lookup::Kind::kLeaseByName:
          source_.lease_by_name(lookup.label, zone);
          break;
        case Lookup::Kind::kReverse:
          source_.reverse(lookup.address, [&](Result<std::vector<std::string>> n) {
            core_->on_names(lookup.id, std::move(n), now_, actions_);
          });
      }
    }
    std::erase_if(actions_, [](const Action& action) { return std::holds_alternative<Lookup>(action); });
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> out;
    for (Action& action : actions_)
      if (auto* item = std::get_if<T>(&action)) out.push_back(std::move(*item));
    std::erase_if(actions_, [](const Action& action) { return std::holds_alternative<T>(action); });
    return out;
  }
  /// The one reply that must be there.
  Message reply() {
    const std::vector<Reply> replies = take<Reply>();
    EXPECT_EQ(replies.size(), 1u);
    if (replies.size() != 1) return {};
    return parse_message(replies[0].message).value();
  }
  Message local(const std::string& text, std::uint16_t query_type) {
    ask(text, query_type);
    settle();
    return reply();
  }
  OpenExchange exchange() {
    const std::vector<OpenExchange> opened = take<OpenExchange>();
    EXPECT_EQ(opened.size(), 1u);
    return opened.size() == 1 ? opened[0] : OpenExchange{};
  }
  static Message answer_to(const OpenExchange& open, std::uint16_t code = rcode::kNoError) {
    Message out = parse_message(open.message).value();
    out.header.qr = out.header.ra = true;
    out.header.rcode = code;
    return out;
  }
  static Message address_answer(const OpenExchange& open, std::uint32_t ttl = 60) {
    Message out = answer_to(open);
    out.answers.push_back({out.questions[0].name, type::kA, kClassIn, ttl, {192, 0, 2, 9}});
    return out;
  }
  void deliver(const OpenExchange& open, const Message& message) {
    core_->on_message(open.id, encode_message(message).value(), now_, actions_);
  }
  void advance(Duration by) {
    now_ += by;
    core_->on_timer(now_, actions_);
  }

  runtime::sim::SeededRandom random_{7};
  testing::MemorySource source_;
  std::unique_ptr<Core> core_;
  Actions actions_;
  Client client_{ip("127.0.0.1"), false, 42};
  Instant now_{std::chrono::hours(1)};
  int lookups_ = 0;
};

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

TEST_F(CoreTest, ForwardsAndCaches) {
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

TEST_F(CoreTest, IdsAreNotPredictable) {
  start(config());
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 50; ++i) {
    ask("n" + std::to_string(i) + ".com", type::kA);
    ids.insert(parse_message(exchange().message).value().header.id);
  }
  EXPECT_GT(ids.size(), 45u);
}

TEST_F(CoreTest, NegativeAnswersAreCachedBySoa) {
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

TEST_F(CoreTest, ForgeriesAreIgnored) {
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

TEST_F(CoreTest, TruncationGoesOverToTcp) {
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

TEST_F(CoreTest, FailsOverAndComesBack) {
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

TEST_F(CoreTest, AllServersFail) {
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

TEST_F(CoreTest, APoorAnswerIsPassedOnWhenNobodyHasABetterOne) {
  start(config());
  ask("example.com", type::kA);
  const OpenExchange first = exchange();
  deliver(first, answer_to(first, rcode::kRefused));
  const OpenExchange second = exchange();
  EXPECT_EQ(second.server, kSecond);
  deliver(second, answer_to(second, rcode::kServFail));
  EXPECT_EQ(reply().header.rcode, rcode::kServFail);
}

TEST_F(CoreTest, ServersWithoutEdnsAreAskedPlainly) {
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

TEST_F(CoreTest, SplitZonesHaveTheirOwnServers) {
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

TEST_F(CoreTest, OverlayAddressesFromOutsideAreBlocked) {
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

TEST_F(CoreTest, DnssecFlagsTravel) {
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
