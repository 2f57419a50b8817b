// What people type and what they read; decoding of transactions; signing of requests.
#include "bonus/cli/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/base/units.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/order_options.hpp"
#include "bonus/cli/tx_decode.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keystore.hpp"

namespace bonus::cli {
namespace {

namespace market = chain::market;
using ::testing::HasSubstr;

TEST(Parse, Royalty) {
  EXPECT_EQ(parse_royalty("5%").value(), 500);
  EXPECT_EQ(parse_royalty("2.5%").value(), 250);
  EXPECT_EQ(parse_royalty("0.01%").value(), 1);
  EXPECT_EQ(parse_royalty("250bps").value(), 250);
  EXPECT_EQ(parse_royalty("100%").value(), 10'000);
  for (const char* bad : {"", "%", "5", "-1%", "100.01%", "0.001%", "1.%", ".5%", "1.5bps", "99999999999%", "5 %"})
    EXPECT_FALSE(parse_royalty(bad)) << bad;
}

TEST(Parse, PublishEnvPortsAndImages) {
  EXPECT_EQ(parse_publish("8080:80")->listen, 8080);
  EXPECT_EQ(parse_publish("0:80")->listen, 0);
  EXPECT_EQ(parse_publish("0:80")->port, 80);
  for (const char* bad : {"", ":", "80", "80:", ":80", "80:0", "65536:1", "1:65536", "a:b", "1:2:3", "-1:2"})
    EXPECT_FALSE(parse_publish(bad)) << bad;
  EXPECT_EQ(parse_env("A=b=c")->second, "b=c");
  EXPECT_EQ(parse_env("A=")->second, "");
  EXPECT_FALSE(parse_env("A"));
  EXPECT_FALSE(parse_env("=A"));
  EXPECT_EQ(split_image("a/b"), std::pair(std::string("a/b"), std::string("latest")));
  EXPECT_EQ(split_image("a:5000/b"), std::pair(std::string("a:5000/b"), std::string("latest")));
  EXPECT_EQ(split_image("a/b:1"), std::pair(std::string("a/b"), std::string("1")));
}

TEST(Parse, Sizes) {
  EXPECT_EQ(parse_mebibytes("256Mi").value(), 256u);
  EXPECT_EQ(parse_mebibytes("1").value(), 1u);
  EXPECT_EQ(parse_mebibytes("1025Ki").value(), 2u);
  EXPECT_FALSE(parse_mebibytes("0"));
  EXPECT_FALSE(parse_mebibytes("65Ti"));
}

TEST(Parse, HourlyPriceRoundsDownButNotToZero) {
  EXPECT_EQ(parse_hourly_price("0.0036").value(), uint256(1'000'000'000'000));
  EXPECT_EQ(parse_hourly_price("1 wei").value(), uint256(1));
  EXPECT_FALSE(parse_hourly_price("0"));
}

TEST(Format, Amounts) {
  EXPECT_EQ(short_bnc(kWeiPerBnc), "1");
  EXPECT_EQ(short_bnc(parse_bnc("0.0000123456789").value()), "0.0000123457");
  EXPECT_EQ(short_bnc(parse_bnc("0.5").value()), "0.5");
  EXPECT_EQ(short_bnc(parse_bnc("12.123456789").value(), 2), "12.12");
  EXPECT_EQ(short_bnc(parse_bnc("12.000000001").value(), 2), "12");
  EXPECT_EQ(price_per_hour(parse_hourly_price("0.02").value()), "0.02 BNC/h");
}

TEST(Format, TimesAndNames) {
  EXPECT_EQ(seconds_text(0), "0s");
  EXPECT_EQ(seconds_text(61), "1m1s");
  EXPECT_EQ(seconds_text(3600), "1h");
  EXPECT_EQ(seconds_text(90'061), "1d1h");
  EXPECT_EQ(utc_text(0), "-");
  EXPECT_EQ(utc_text(1'577'934'245), "2020-01-02 03:04:05Z");
  EXPECT_EQ(age(100, 40), "0s");
}

TEST(NodeUrl, FormsAndMistakes) {
  EXPECT_EQ(parse_node_url("127.0.0.1:7070").value(), "http://127.0.0.1:7070");
  EXPECT_EQ(parse_node_url("http://node.example:1/").value(), "http://node.example:1");
  EXPECT_EQ(parse_node_url("[::1]:7070").value(), "http://[::1]:7070");
  for (const char* bad :
       {"", "node", "http://", "https://a:1", "a:0", "a:65536", "a:1/x", "a b:1", "user@a:1", "::1:7"})
    EXPECT_FALSE(parse_node_url(bad)) << bad;
  EXPECT_EQ(path_of_url("http://a:1/v1/x?y=z"), "/v1/x");
  EXPECT_EQ(path_of_url("http://a:1"), "/");
}

TEST(Auth, HeaderIsWhatTheApiDocumentSays) {
  const auto key = crypto::account_key("test test test test test test test test test test test junk", 0).value();
  const auto header = sign_request(key, "GET", "/v1/leases/7/logs", 1'700'000'000).value();
  const std::string prefix = "Bonus 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266:1700000000:0x";
  ASSERT_TRUE(header.starts_with(prefix)) << header;
  const auto raw = from_hex(header.substr(prefix.size() - 2)).value();
  ASSERT_EQ(raw.size(), 65u);
  crypto::Secp256k1Signature signature;
  std::copy_n(raw.begin(), 32, signature.r.bytes.begin());
  std::copy_n(raw.begin() + 32, 32, signature.s.bytes.begin());
  signature.recovery = static_cast<std::uint8_t>(raw.back() - 27);
  const std::string message = "bonus-api/v1\nGET\n/v1/leases/7/logs\n1700000000";
  const auto signer = crypto::secp256k1_recover(crypto::personal_message_hash(as_bytes(message)), signature);
  ASSERT_TRUE(signer);
  EXPECT_EQ(crypto::to_checksum(*signer), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

TEST(ApiError, KeepsTheNodesCodeAndHidesControlCharacters) {
  const Error known = api_error(404, R"({"error":{"code":"denied","message":"no \u001b way"}})", "x");
  EXPECT_EQ(known.code, ErrorCode::kDenied);
  EXPECT_EQ(known.message, "no \\x1b way");
  EXPECT_EQ(api_error(500, R"({"error":{"code":"not-found","message":"x"}})", "x").code, ErrorCode::kNotFound);
  EXPECT_EQ(api_error(503, "<html>", "x").code, ErrorCode::kUnavailable);
  EXPECT_EQ(api_error(418, "{\"error\":7}", "x").code, ErrorCode::kInternal);
}

market::OrderSpec spec_of(const OrderOptions& options) { return order_spec(options).value(); }

TEST(Order, FlagsBecomeASpecification) {
  OrderOptions options;
  options.cpu = "1.5";
  options.memory = "1Gi";
  options.disk = "2Gi";
  options.replicas = 3;
  options.tier = "super";
  options.region = "cn-shanghai";
  options.duration = "90s";
  options.developer = "0x000000000000000000000000000000000000dEaD";
  options.royalty = "2.5%";
  options.distinct = true;
  const auto spec = spec_of(options);
  EXPECT_EQ(spec.resources, (market::Resources{1500, 1024, 2048}));
  EXPECT_EQ(spec.replicas, 3);
  EXPECT_EQ(spec.min_tier, 2);
  EXPECT_EQ(spec.duration, 90u);
  EXPECT_EQ(spec.royalty_bps, 250);
  EXPECT_TRUE(spec.distinct_operators);
  options.royalty.clear();
  EXPECT_FALSE(order_spec(options));
}

TEST(Order, DepositIsAnHourOrAsLongAsTheDuration) {
  OrderOptions options;
  EXPECT_EQ(deposit_of(options, uint256(10)).value(), uint256(36'000));
  options.replicas = 2;
  EXPECT_EQ(deposit_of(options, uint256(10)).value(), uint256(72'000));
  options.replicas = 1;
  options.duration = "100s";
  EXPECT_EQ(deposit_of(options, uint256(10)).value(), uint256(1'600));
  options.duration = "30d";
  EXPECT_EQ(deposit_of(options, uint256(10)).value(), uint256(36'000));
  options.deposit = "2";
  EXPECT_EQ(deposit_of(options, uint256(10)).value(), kWeiPerBnc * uint256(2));
  options.deposit = "0";
  EXPECT_FALSE(deposit_of(options, uint256(10)));
}

TEST(Order, ExplanationNamesTheDimension) {
  market::Explanation none;
  none.offers = 3;
  none.dimension = "memory";
  none.asked = uint256(4096);
  none.best = uint256(1024);
  none.advice = "Ask for less.";
  const std::string text = explanation_text(none, {});
  EXPECT_THAT(text, HasSubstr("none of 3 offers matches: memory"));
  EXPECT_THAT(text, HasSubstr("asked: 4Gi of memory; would match: 1Gi of memory"));
  EXPECT_THAT(text, HasSubstr("Ask for less."));
}

TEST(Tx, CallsInWords) {
  const auto call = decode_call(chain::kMarketAddress, market::encode::top_up(7));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->text, "topUp(7)");
  EXPECT_EQ(call->contract, "Market");
  market::OrderSpec spec;
  spec.image = "web\x1b:1";
  spec.min_tier = -1;
  spec.resources = {500, 256, 1024};
  const auto order = decode_call(chain::kMarketAddress, market::encode::create_order(spec));
  ASSERT_TRUE(order);
  EXPECT_THAT(order->text, HasSubstr("createOrder((\"web\\x1b:1\", 0x"));
  EXPECT_THAT(order->text, HasSubstr("(500, 256, 1024), 1, 0, -1, \"\""));
  EXPECT_FALSE(decode_call(chain::kNodesAddress, market::encode::top_up(7)));
  EXPECT_FALSE(decode_call(chain::kMarketAddress, {}));
  Bytes cut = market::encode::top_up(7);
  cut.pop_back();
  EXPECT_FALSE(decode_call(chain::kMarketAddress, cut));
}

TEST(Tx, EventsInWords) {
  const auto log = market::make_log(market::Event::kLeaseEnded,
                                    {uint256(3), uint256(2), uint256(6), std::string("layer 1 is hostile")});
  const auto event = decode_event(log);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->text, "LeaseEnded(3, 2, 6, \"layer 1 is hostile\")");
  chain::Log other = log;
  other.address = chain::kNodesAddress;
  EXPECT_FALSE(decode_event(other));
  other = log;
  other.data.pop_back();
  EXPECT_FALSE(decode_event(other));
  other.topics.clear();
  EXPECT_FALSE(decode_event(other));
}

TEST(Json, PrettyIsStillJson) {
  const boost::json::value value = boost::json::parse(R"({"a":[1,{"b":"x\"y"}],"c":{},"d":[]})");
  EXPECT_EQ(boost::json::parse(pretty(value)), value);
  EXPECT_THAT(pretty(value), HasSubstr("\n  \"a\": [\n    1,"));
}

}  // namespace
}  // namespace bonus::cli
