// Rules of names, prices, and the client's side of the calls.
#include "bonus/chain/api/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"

namespace bonus::chain::names {
namespace {

using ::testing::HasSubstr;

TEST(Names, WhichThereAre) {
  for (const char* name : {"abc", "alice", "a-1", "4-u", "007a", "lease-x", "order-1x", "xn-a",
                           "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrs1"})
    EXPECT_TRUE(check_name(name).has_value()) << name;
  EXPECT_TRUE(check_name(std::string(63, 'a')).has_value());
  const std::pair<std::string, std::string> refused[] = {{"ab", "3 to 63"},
                                                         {std::string(64, 'a'), "3 to 63"},
                                                         {"", "3 to 63"},
                                                         {"-ab", "hyphen"},
                                                         {"ab-", "hyphen"},
                                                         {"xn--abc", "third and fourth"},
                                                         {"ab--", "hyphen"},
                                                         {"ab--c", "third and fourth"},
                                                         {"123", "a number"},
                                                         {"lease-0", "names itself"},
                                                         {"order-99", "names itself"},
                                                         {"bonus", "reserved"},
                                                         {"node", "reserved"},
                                                         {"localhost", "reserved"},
                                                         {"gateway", "reserved"},
                                                         {std::string(52, 'a'), "node id"},
                                                         {"Alice", "letters"},
                                                         {"al_ice", "letters"},
                                                         {"al.ice", "letters"},
                                                         {std::string("a\0b", 3), "letters"},
                                                         {"\xd0\xb0lice", "letters"}};
  for (const auto& [name, why] : refused) {
    const auto out = check_name(name);
    ASSERT_FALSE(out.has_value()) << name;
    EXPECT_EQ(out.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(out.error().message, HasSubstr(why)) << name;
  }
}

TEST(Names, AsPeopleWriteThem) {
  EXPECT_EQ(parse_name("Alice.Bonus.").value(), "alice");
  EXPECT_EQ(parse_name("alice").value(), "alice");
  EXPECT_FALSE(parse_name("www.alice.bonus").has_value());
  EXPECT_FALSE(parse_name(".bonus").has_value());
  EXPECT_FALSE(parse_name("").has_value());
  const HostName host = parse_host("_http._tcp.Alice.bonus").value();
  EXPECT_EQ(host.name, "alice");
  EXPECT_EQ(host.below, "_http._tcp");
  EXPECT_EQ(parse_host("www.alice").value().below, "www");
  EXPECT_EQ(parse_host("alice").value().below, "");
  EXPECT_FALSE(parse_host("alice.node.bonus").has_value());
  EXPECT_FALSE(parse_host(std::string(300, 'a')).has_value());
}

TEST(Names, Prices) {
  NameParams params;
  params.price5 = uint256(kYearSeconds);
  params.price4 = uint256(10U);
  EXPECT_EQ(price(params, 5, 17), uint256(17U));
  EXPECT_EQ(price(params, 63, kYearSeconds), uint256(kYearSeconds));
  EXPECT_EQ(price(params, 4, 1), uint256(1U));
  EXPECT_EQ(price(params, 4, kYearSeconds), uint256(10U));
  EXPECT_EQ(price(params, 4, kYearSeconds + 1), uint256(11U));
  params.price3 = (uint256(1U) << 128U) - uint256(1U);
  EXPECT_EQ(price(params, 3, UINT64_MAX),
            (params.price3 * uint256(UINT64_MAX) + uint256(kYearSeconds - 1)) / uint256(kYearSeconds));
}

// Made with ethers: keccak256(AbiCoder.encode(["string","address","uint64","bytes32"], ...)).
TEST(Names, CommitmentIsSoliditys) {
  Address owner;
  owner.bytes.fill(0x11);
  Hash32 secret;
  secret.bytes.fill(0x22);
  EXPECT_EQ(to_hex(commitment("alice", owner, 31'536'000, secret)),
            "f84d9e00c03f07003a31a73bde1a79d7a8f366dfd1a6892a01a93098aee8b361");
  EXPECT_NE(commitment("alice", owner, 31'536'001, secret), commitment("alice", owner, 31'536'000, secret));
  EXPECT_EQ(to_hex(reverse_digest(7777, owner, "alice", Bytes{1, 2, 3}, 1'700'000'000)),
            "30bbb2dc10dda0b6b38169d610c76e8f6b3b6255fa8183d7191b0b63f02096fb");
}

TEST(Names, ResultsAreCheckedAndAnEmptyOneMeansThereIsNoContract) {
  EXPECT_EQ(decode::name({}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode::price(Bytes(31, 0)).error().code, ErrorCode::kInvalid);
  const auto encode_name = [](std::uint64_t state) {
    abi::Values inner{"alice",
                      Address{},
                      Address{},
                      abi::Value(std::uint64_t{1}),
                      abi::Value(std::uint64_t{2}),
                      abi::Value(std::uint64_t{3}),
                      abi::Value(state),
                      Bytes{9}};
    return abi::encode(market::function(market::Call::kNameGet).function.outputs, market::one(std::move(inner)))
        .value();
  };
  const NameInfo info = decode::name(encode_name(1)).value();
  EXPECT_EQ(info.name, "alice");
  EXPECT_EQ(info.expires, 2U);
  EXPECT_EQ(info.revision, 3U);
  EXPECT_EQ(info.state, NameState::kLive);
  EXPECT_EQ(info.records, Bytes{9});
  EXPECT_FALSE(decode::name(encode_name(3)).has_value());
  EXPECT_EQ(market::find_function(kNamesAddress, encode::renew("alice", 5))->function.name, "renew");
  EXPECT_EQ(market::find_function(kNodesAddress, encode::renew("alice", 5)), nullptr);
}

TEST(Names, GenesisSection) {
  Genesis genesis;
  genesis.chain_id = 1;
  genesis.bookkeepers.resize(1);
  genesis.bookkeepers[0].key.bytes[0] = 1;
  const std::string without = genesis.to_json();
  EXPECT_EQ(without.find("names"), std::string::npos);
  EXPECT_FALSE(Genesis::from_json(without).value().names.has_value());
  genesis.names.emplace();
  genesis.names->grace_s = 77;
  genesis.names->price4 = uint256(5U);
  const std::string with = genesis.to_json();
  const Genesis back = Genesis::from_json(with).value();
  EXPECT_EQ(back.to_json(), with);
  EXPECT_EQ(back.names->grace_s, 77U);
  EXPECT_EQ(back.names->price4, uint256(5U));
  EXPECT_EQ(back.names->price3, NameParams{}.price3);
  const auto refused = [&](std::string_view from, std::string_view to) {
    std::string text = with;
    text.replace(text.find(from), from.size(), to);
    const auto out = Genesis::from_json(text);
    return out ? std::string() : out.error().message;
  };
  EXPECT_THAT(refused("\"graceS\"", "\"grace\""), HasSubstr("names.grace"));
  EXPECT_THAT(refused("\"minCommitmentAgeS\": 10", "\"minCommitmentAgeS\": 0"), HasSubstr("names.minCommitmentAgeS"));
  EXPECT_THAT(refused("\"minCommitmentAgeS\": 10", "\"minCommitmentAgeS\": 86400"), HasSubstr("maxCommitmentAgeS"));
  EXPECT_THAT(refused("\"price4\": \"5\"", "\"price4\": \"340282366920938463463374607431768211456\""),
              HasSubstr("names.price4"));
}

}  // namespace
}  // namespace bonus::chain::names
