// The Names contract: commit and reveal, prices and refunds, expiry, grace, owners, operators, records, reverse names.
#include "bonus/chain/contracts/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/names_world_testing.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::contracts {
namespace {

namespace encode = names::encode;
using names::NameState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NamesTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kYear = NamesWorld::kYear, kDay = NamesWorld::kDay;
  static constexpr std::uint64_t kGrace = 30 * kDay;
  void TearDown() override {
    EXPECT_EQ(world_.conservation(), "");
    EXPECT_FALSE(world_.host().view_wrote);
  }
  static Address user(std::uint8_t number) { return NamesWorld::user(number); }
  static uint256 bnc(std::uint64_t amount) { return NamesWorld::bnc(amount); }
  static names::Record aaaa(const std::string& name, std::string_view address) {
    return {.name = name, .ttl_s = 300, .data = names::Aaaa{net::parse_ip(address).value()}};
  }
  NamesWorld world_;
};

TEST_F(NamesTest, RegisteredByCommitAndReveal) {
  EXPECT_TRUE(world_.available("alice"));
  EXPECT_EQ(world_.owner("alice"), Address{});
  ASSERT_EQ(world_.commit(1, "alice", kYear, 1), "");
  world_.pass(9);
  EXPECT_THAT(world_.reveal(1, "alice", kYear, 1, bnc(5)), HasSubstr("9 s old"));
  world_.pass(1);
  EXPECT_THAT(world_.reveal(1, "alice", kYear, 2, bnc(5)), HasSubstr("no such commitment"));
  EXPECT_THAT(world_.reveal(1, "alice", kYear - 1, 1, bnc(5)), HasSubstr("no such commitment"));
  ASSERT_EQ(world_.reveal(1, "alice", kYear, 1, bnc(5)), "");
  const auto event = names::event::registered(world_.host().logs.at(0));
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->name, "alice");
  EXPECT_EQ(event->owner, user(1));
  EXPECT_EQ(event->paid, bnc(5));
  EXPECT_EQ(event->expires, world_.now() + kYear);
  EXPECT_EQ(event->id, crypto::keccak256(as_bytes("alice")));
  EXPECT_EQ(names::event::changed(world_.host().logs.at(0)), "alice");
  EXPECT_EQ(uint256::from_be(world_.output()), uint256(world_.now() + kYear));
  EXPECT_FALSE(world_.available("alice"));
  EXPECT_EQ(world_.owner("alice"), user(1));
  const auto info = world_.info("alice");
  EXPECT_EQ(info.state, NameState::kLive);
  EXPECT_EQ(info.registered_at, world_.now());
  EXPECT_EQ(info.expires, world_.now() + kYear);
  EXPECT_THAT(world_.names_of(1), ElementsAre("alice"));
  // The commitment is used up.
  EXPECT_EQ(names::decode::number(
                world_.view(encode::committed_at(names::commitment("alice", user(1), kYear, NamesWorld::secret(1))))),
            0U);
  EXPECT_THAT(world_.reveal(1, "alice", kYear, 1, bnc(5)), HasSubstr("no such commitment"));
  EXPECT_THAT(world_.register_name(2, "alice"), HasSubstr("taken"));
}

TEST_F(NamesTest, WhoSeesTheRevealCannotBeFaster) {
  ASSERT_EQ(world_.commit(1, "alice", kYear, 1), "");
  world_.pass(10);
  // The attacker reads name and secret in the pool and sends in the same block, before the owner's transaction.
  EXPECT_THAT(world_.reveal(2, "alice", kYear, 1, bnc(5)), HasSubstr("no such commitment"));
  ASSERT_EQ(world_.commit(2, "alice", kYear, 1), "");
  EXPECT_THAT(world_.reveal(2, "alice", kYear, 1, bnc(5)), HasSubstr("0 s old"));
  // Sending the owner's own words only pays the owner's fee.
  ASSERT_EQ(world_.send(user(2), encode::register_name("alice", user(1), kYear, NamesWorld::secret(1)), bnc(5)), "");
  EXPECT_EQ(world_.owner("alice"), user(1));
  EXPECT_EQ(world_.balance(user(2)), bnc(100'000 - 5));
}

TEST_F(NamesTest, ACopiedCommitmentDelaysNobody) {
  const Bytes commit = encode::commit(names::commitment("alice", user(1), kYear, NamesWorld::secret(1)));
  ASSERT_EQ(world_.send(user(2), commit), "");
  world_.pass(9);
  ASSERT_EQ(world_.send(user(1), commit), "");  // the copy came first: no error, and its age counts
  world_.pass(1);
  ASSERT_EQ(world_.send(user(2), commit), "");
  EXPECT_EQ(world_.reveal(1, "alice", kYear, 1, bnc(5)), "");
}

TEST_F(NamesTest, CommitmentsAgeOut) {
  ASSERT_EQ(world_.commit(1, "alice", kYear, 1), "");
  world_.pass(kDay + 1);
  EXPECT_THAT(world_.reveal(1, "alice", kYear, 1, bnc(5)), HasSubstr("too old"));
  ASSERT_EQ(world_.commit(1, "alice", kYear, 1), "");
  world_.pass(kDay);
  EXPECT_EQ(world_.reveal(1, "alice", kYear, 1, bnc(5)), "");
}

TEST_F(NamesTest, PricesByLengthAndTimeAndTheRestComesBack) {
  const auto price = [&](const std::string& name, std::uint64_t seconds) {
    return names::decode::price(world_.view(encode::price(name, seconds))).value();
  };
  EXPECT_EQ(price("abc", kYear), bnc(640));
  EXPECT_EQ(price("abcd", kYear), bnc(160));
  EXPECT_EQ(price("abcde", kYear), bnc(5));
  EXPECT_EQ(price("a-very-long-name", 2 * kYear), bnc(10));
  EXPECT_EQ(price("abcde", 1), bnc(5) / uint256(kYear) + uint256(1U));  // rounded up
  EXPECT_EQ(price("abcde", 0), uint256());
  ASSERT_EQ(world_.commit(1, "abcd", kYear, 1), "");
  world_.pass(10);
  EXPECT_THAT(world_.reveal(1, "abcd", kYear, 1, bnc(160) - uint256(1U)), HasSubstr("it costs 160000000000000000000"));
  EXPECT_EQ(world_.balance(user(1)), bnc(100'000));
  ASSERT_EQ(world_.reveal(1, "abcd", kYear, 1, bnc(200)), "");
  EXPECT_EQ(world_.balance(user(1)), bnc(100'000 - 160));
  EXPECT_EQ(world_.balance(NamesWorld::foundation()), bnc(160));
  ASSERT_EQ(world_.renew(2, "abcd", kYear, bnc(161)), "");  // anybody may pay
  EXPECT_EQ(world_.balance(user(2)), bnc(100'000 - 160));
  EXPECT_EQ(world_.balance(NamesWorld::foundation()), bnc(320));
  EXPECT_EQ(world_.balance(kNamesAddress), uint256());
  EXPECT_THAT(world_.send(user(1), encode::transfer("abcd", user(2)), uint256(1U)), HasSubstr("takes no value"));
}

TEST_F(NamesTest, DurationsAreBounded) {
  EXPECT_THAT(world_.register_name(1, "alice", kDay - 1), HasSubstr("at least 86400 seconds"));
  EXPECT_THAT(world_.register_name(1, "alice", 10 * kYear + 1), HasSubstr("at most"));
  EXPECT_THAT(world_.register_name(1, "alice", UINT64_MAX), HasSubstr("at most"));
  ASSERT_EQ(world_.register_name(1, "alice", 9 * kYear), "");
  EXPECT_THAT(world_.renew(1, "alice", kYear + 1, bnc(100)), HasSubstr("seconds ahead"));
  EXPECT_THAT(world_.renew(1, "alice", UINT64_MAX - 5, bnc(100)), HasSubstr("at most"));
  EXPECT_EQ(world_.renew(1, "alice", kYear, bnc(100)), "");
}

TEST_F(NamesTest, ExpiryGraceAndRelease) {
  ASSERT_EQ(world_.register_name(1, "alice", 100 * kDay), "");
  ASSERT_EQ(world_.set_records(1, "alice", {aaaa("", "fd00::1")}), "");
  const std::uint64_t expires = world_.info("alice").expires;
  world_.pass(100 * kDay - 1);
  EXPECT_EQ(world_.info("alice").state, NameState::kLive);
  world_.pass(1);
  ASSERT_EQ(world_.now(), expires);
  // In the grace period it does not resolve, and nobody can do anything but renew.
  EXPECT_EQ(world_.info("alice").state, NameState::kGrace);
  EXPECT_EQ(world_.info("alice").owner, user(1));
  EXPECT_EQ(world_.owner("alice"), Address{});
  EXPECT_THAT(world_.info("alice").records, IsEmpty());
  EXPECT_THAT(names::decode::records(world_.view(encode::records("alice"))).value(), IsEmpty());
  EXPECT_FALSE(world_.available("alice"));
  EXPECT_THAT(world_.set_records(1, "alice", {}), HasSubstr("expired"));
  EXPECT_THAT(world_.send(user(1), encode::transfer("alice", user(2))), HasSubstr("expired"));
  EXPECT_THAT(world_.register_name(2, "alice"), HasSubstr("taken"));
  world_.pass(20 * kDay);
  EXPECT_THAT(world_.renew(3, "alice", 5 * kDay, bnc(5)), HasSubstr("expired longer ago"));
  ASSERT_EQ(world_.renew(3, "alice", 50 * kDay, bnc(5)), "");
  EXPECT_EQ(world_.info("alice").expires, expires + 50 * kDay);  // from its old end: the gap is paid too
  EXPECT_EQ(world_.owner("alice"), user(1));
  EXPECT_EQ(names::decode_records(world_.info("alice").records).value().size(), 1U);
  // Released to whoever comes first, without any trace of the former owner.
  ASSERT_EQ(world_.send(user(1), encode::approve("alice", user(4))), "");
  world_.pass(expires + 50 * kDay + kGrace - 1 - world_.now());
  EXPECT_FALSE(world_.available("alice"));
  world_.pass(1);
  EXPECT_TRUE(world_.available("alice"));
  EXPECT_THAT(world_.renew(1, "alice", kYear, bnc(5)), HasSubstr("not registered"));
  EXPECT_EQ(world_.info("alice").owner, Address{});
  const std::uint32_t revision = world_.info("alice").revision;
  ASSERT_EQ(world_.register_name(2, "alice"), "");
  EXPECT_EQ(world_.owner("alice"), user(2));
  EXPECT_EQ(world_.info("alice").manager, Address{});
  EXPECT_THAT(world_.info("alice").records, IsEmpty());
  EXPECT_EQ(world_.info("alice").revision, revision + 1);
  EXPECT_THAT(world_.names_of(1), IsEmpty());
  EXPECT_THAT(world_.names_of(2), ElementsAre("alice"));
  EXPECT_EQ(names::decode::number(world_.view(encode::count())), 1U);
}

TEST_F(NamesTest, OwnersPassNamesOn) {
  for (const char* name : {"alice", "bobby", "carol"}) ASSERT_EQ(world_.register_name(1, name), "");
  EXPECT_THAT(world_.names_of(1), ElementsAre("alice", "bobby", "carol"));
  EXPECT_THAT(world_.send(user(2), encode::transfer("alice", user(2))), HasSubstr("another account's"));
  EXPECT_THAT(world_.send(user(1), encode::transfer("alice", Address{})), HasSubstr("zero address"));
  EXPECT_THAT(world_.send(user(1), encode::transfer("alice", user(1))), HasSubstr("already"));
  EXPECT_THAT(world_.send(user(1), encode::transfer("nobody", user(2))), HasSubstr("not registered"));
  ASSERT_EQ(world_.send(user(1), encode::approve("alice", user(3))), "");
  ASSERT_EQ(world_.send(user(1), encode::transfer("alice", user(2))), "");
  EXPECT_EQ(names::event::changed(world_.host().logs.at(0)), "alice");
  EXPECT_EQ(world_.owner("alice"), user(2));
  EXPECT_EQ(world_.info("alice").manager, Address{});  // the new owner trusts nobody yet
  EXPECT_THAT(world_.set_records(3, "alice", {}), HasSubstr("only the owner"));
  EXPECT_THAT(world_.set_records(1, "alice", {}), HasSubstr("only the owner"));
  EXPECT_THAT(world_.names_of(1), ElementsAre("bobby", "carol"));
  EXPECT_THAT(world_.names_of(2), ElementsAre("alice"));
  ASSERT_EQ(world_.send(user(1), encode::transfer("carol", user(2))), "");
  ASSERT_EQ(world_.send(user(1), encode::transfer("bobby", user(2))), "");
  EXPECT_THAT(world_.names_of(1), IsEmpty());
  EXPECT_THAT(world_.names_of(2), ElementsAre("alice", "bobby", "carol"));
}

TEST_F(NamesTest, RecordsByOwnerAndOperator) {
  ASSERT_EQ(world_.register_name(1, "alice"), "");
  const names::NameRecords records{aaaa("", "fd00::1"),
                                   {.name = "_ssh._tcp", .ttl_s = 60, .data = names::Srv{0, 5, 22, "alice.bonus"}},
                                   {.name = "www", .ttl_s = 60, .data = names::Alias{"lease-42.bonus"}}};
  EXPECT_THAT(world_.set_records(2, "alice", records), HasSubstr("only the owner"));
  const std::uint32_t before = world_.info("alice").revision;
  ASSERT_EQ(world_.set_records(1, "alice", records), "");
  EXPECT_EQ(world_.info("alice").revision, before + 1);
  EXPECT_EQ(names::decode::records(world_.view(encode::records("alice"))).value(),
            names::encode_records(records).value());
  ASSERT_EQ(world_.send(user(1), encode::approve("alice", user(2))), "");
  EXPECT_EQ(world_.info("alice").manager, user(2));
  ASSERT_EQ(world_.set_records(2, "alice", {aaaa("", "fd00::2")}), "");
  EXPECT_THAT(world_.send(user(2), encode::transfer("alice", user(2))), HasSubstr("another account's"));
  EXPECT_THAT(world_.send(user(2), encode::approve("alice", user(3))), HasSubstr("another account's"));
  ASSERT_EQ(world_.send(user(1), encode::approve("alice", Address{})), "");
  EXPECT_THAT(world_.set_records(2, "alice", records), HasSubstr("only the owner"));
  ASSERT_EQ(world_.set_records(1, "alice", {}), "");
  EXPECT_THAT(world_.info("alice").records, IsEmpty());
  // What the codec refuses the chain never holds.
  EXPECT_THAT(world_.send(user(1), encode::set_records("alice", Bytes{1})), HasSubstr("setRecords: "));
  EXPECT_THAT(world_.send(user(1), encode::set_records("alice", Bytes(1025, 1))), HasSubstr("at most 1024"));
  EXPECT_THAT(world_.send(user(1), encode::set_records("alice", Bytes(100'000, 1))), HasSubstr("at most 1024"));
}

TEST_F(NamesTest, GasFollowsTheSizeOfRecords) {
  ASSERT_EQ(world_.register_name(1, "alice"), "");
  EXPECT_LT(world_.host().gas_used, 120'000U);
  ASSERT_EQ(world_.set_records(1, "alice", {aaaa("", "fd00::1")}), "");
  const std::uint64_t small = world_.host().gas_used;
  names::NameRecords many;
  for (int i = 0; i < 3; ++i)
    many.push_back({.name = "", .ttl_s = 1, .data = names::Txt{Bytes(255, static_cast<std::uint8_t>('a' + i))}});
  ASSERT_EQ(world_.set_records(1, "alice", many), "");
  EXPECT_GT(world_.host().gas_used, small + 24 * 5'000);
  EXPECT_LT(world_.host().gas_used, 200'000U);
  const names::NameInfo before = world_.info("alice");
  EXPECT_EQ(world_.send(user(1), encode::set_records("alice", Bytes{}), {}, 20'000), "out of gas");
  EXPECT_EQ(world_.info("alice").records, before.records);
}

TEST_F(NamesTest, ReverseNamesNeedTheConsentOfTheKey) {
  ASSERT_EQ(world_.register_name(1, "alice"), "");
  ASSERT_EQ(world_.register_name(2, "mallory"), "");
  crypto::Ed25519Seed seed;
  seed.bytes[0] = 5;
  const auto key = crypto::Ed25519KeyPair::from_seed(seed);
  const net::Ipv6 address = net::overlay_address(crypto::node_id(key.public_key()));
  const auto reverse = [&](const net::Ipv6& of) {
    return names::decode::reverse(world_.view(encode::reverse(of))).value();
  };
  const auto consent = [&](const Address& owner, const std::string& name, BytesView container, UnixSeconds deadline) {
    return key.sign(names::reverse_digest(4242, owner, name, container, deadline));
  };
  EXPECT_EQ(reverse(address), "");
  const UnixSeconds soon = world_.now() + 3600;
  const auto signature = consent(user(1), "alice", {}, soon);
  EXPECT_THAT(world_.send(user(2), encode::set_reverse("mallory", key.public_key(), {}, soon, signature)),
              HasSubstr("did not sign"));
  EXPECT_THAT(world_.send(user(2), encode::set_reverse("alice", key.public_key(), {}, soon, signature)),
              HasSubstr("only the owner"));
  EXPECT_THAT(world_.send(user(1), encode::set_reverse("alice", key.public_key(), {}, soon + 1, signature)),
              HasSubstr("did not sign"));
  ASSERT_EQ(world_.send(user(1), encode::set_reverse("alice", key.public_key(), {}, soon, signature)), "");
  EXPECT_EQ(names::event::changed(world_.host().logs.at(0)), "alice");
  EXPECT_EQ(reverse(address), "alice");
  // A container of the same node has an address, and a consent, of its own.
  const Bytes container{1, 2, 3};
  ASSERT_EQ(world_.send(user(1), encode::set_reverse("alice", key.public_key(), container, soon,
                                                     consent(user(1), "alice", container, soon))),
            "");
  EXPECT_EQ(reverse(net::container_address(key.public_key(), container)), "alice");
  // It follows the name's life, and does not pass to another owner.
  ASSERT_EQ(world_.send(user(1), encode::transfer("alice", user(3))), "");
  EXPECT_EQ(reverse(address), "");
  EXPECT_THAT(world_.send(user(3), encode::set_reverse("alice", key.public_key(), {}, soon, signature)),
              HasSubstr("did not sign"));
  ASSERT_EQ(world_.send(user(3), encode::transfer("alice", user(1))), "");
  EXPECT_EQ(reverse(address), "alice");
  EXPECT_THAT(world_.send(user(2), encode::clear_reverse(address)), HasSubstr("another account's"));
  ASSERT_EQ(world_.send(user(1), encode::clear_reverse(address)), "");
  EXPECT_EQ(reverse(address), "");
  EXPECT_THAT(world_.send(user(1), encode::clear_reverse(address)), HasSubstr("no name"));
  world_.pass(3601);
  EXPECT_THAT(world_.send(user(1), encode::set_reverse("alice", key.public_key(), {}, soon, signature)),
              HasSubstr("deadline"));
  const UnixSeconds far = world_.now() + kDay + 1;
  EXPECT_THAT(
      world_.send(user(1), encode::set_reverse("alice", key.public_key(), {}, far, consent(user(1), "alice", {}, far))),
      HasSubstr("more than a day"));
}

TEST_F(NamesTest, ListsHavePages) {
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(world_.register_name(1, "name" + std::string(1, static_cast<char>('a' + i))), "");
  const auto page = [&](std::uint64_t from, std::uint64_t limit) {
    std::vector<std::string> out;
    for (const auto& info : *names::decode::names(world_.view(encode::list(from, limit)))) out.push_back(info.name);
    return out;
  };
  EXPECT_THAT(page(0, 2), ElementsAre("namea", "nameb"));
  EXPECT_THAT(page(3, 64), ElementsAre("named", "namee"));
  EXPECT_THAT(page(5, 64), IsEmpty());
  EXPECT_THAT(page(UINT64_MAX, UINT64_MAX), IsEmpty());
  const auto rules = names::decode::rules(world_.view(encode::rules())).value();
  EXPECT_EQ(rules.min_commitment_age_s, 10U);
  EXPECT_EQ(rules.grace_s, kGrace);
}

TEST_F(NamesTest, BadNamesAreRefusedEverywhere) {
  for (const char* name : {"ab", "", "Alice", "alice.bonus", "-alice", "alice-", "xn--alice", "12345", "lease-7",
                           "order-12", "localhost", "bonus", "node", "gateway",
                           "al\xc3\xad"
                           "ce",
                           "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"}) {
    EXPECT_THAT(world_.register_name(1, name), ::testing::Not(IsEmpty())) << name;
    EXPECT_FALSE(world_.available(name)) << name;
    EXPECT_EQ(world_.info(name).state, NameState::kFree) << name;
  }
  EXPECT_THAT(world_.register_name(1, std::string(64, 'a')), HasSubstr("3 to 63"));
  EXPECT_EQ(world_.register_name(1, std::string(63, 'a')), "");
  EXPECT_EQ(world_.register_name(1, "lease-42a"), "");
  EXPECT_EQ(world_.register_name(1, "4-u"), "");
}

TEST(Names, AChainThatBeganWithoutThemHasAnOrdinaryAccount) {
  Genesis genesis = NamesWorld::make_genesis();
  genesis.names.reset();
  NamesWorld world(genesis);
  EXPECT_EQ(world.send(NamesWorld::user(1), encode::commit(Hash32{}), uint256(7U)), "");
  EXPECT_EQ(world.balance(kNamesAddress), uint256(7U));
  EXPECT_TRUE(world.view(encode::get_name("alice")).empty());
  EXPECT_EQ(names::decode::name(world.view(encode::get_name("alice"))).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(world.host().writes, 0U);
}

}  // namespace
}  // namespace bonus::chain::contracts
