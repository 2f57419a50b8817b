// Addresses for containers at an exit, and the messages that ask for them.
#include "bonus/node/exit_pool.hpp"

#include <gtest/gtest.h>

#include "bonus/net/record/record.hpp"

namespace bonus::node {
namespace {

const net::Prefix kPool = net::parse_prefix("100.97.0.0/29").value();
const Instant kStart{};

Bytes id(std::string_view text) { return {text.begin(), text.end()}; }
NodeId node(std::uint8_t n) {
  NodeId out;
  out.bytes.fill(n);
  return out;
}
std::vector<std::string> texts(const Result<std::vector<net::Ipv6>>& given) {
  std::vector<std::string> out;
  if (given)
    for (const auto& one : *given) out.push_back(net::to_string(one));
  return out;
}

TEST(ExitPool, TheSameContainerKeepsItsAddress) {
  ExitPool pool(kPool);
  const Ed25519PublicKey root{};
  EXPECT_EQ(texts(pool.give(root, node(1), {{id("lease-1")}, {id("lease-2")}}, std::nullopt)),
            (std::vector<std::string>{"100.97.0.1", "100.97.0.2"}));
  EXPECT_EQ(texts(pool.give(root, node(2), {{id("lease-1")}}, std::nullopt)), std::vector<std::string>{"100.97.0.3"});
  EXPECT_EQ(texts(pool.give(root, node(1), {{id("lease-2")}}, std::nullopt)), std::vector<std::string>{"100.97.0.2"});
  EXPECT_EQ(pool.guests().at({node(1), id("lease-1")}).address, net::container_address(root, id("lease-1")));
}

TEST(ExitPool, AWishIsGrantedWhereItIsFreeAndInside) {
  ExitPool pool(kPool);
  const auto wish = [](std::string_view text) { return net::parse_ip(text).value(); };
  EXPECT_EQ(texts(pool.give({}, node(1), {{id("a"), wish("100.97.0.5")}}, std::nullopt)),
            std::vector<std::string>{"100.97.0.5"});
  for (const auto* other : {"100.97.0.5", "100.97.0.0", "100.97.0.7", "100.97.0.8", "192.168.1.1", "2001:db8::1"}) {
    ExitPool copy = pool;
    EXPECT_EQ(texts(copy.give({}, node(2), {{id("b"), wish(other)}}, std::nullopt)),
              std::vector<std::string>{"100.97.0.1"})
        << other;
  }
}

TEST(ExitPool, FullAndExpired) {
  ExitPool pool(kPool);
  std::vector<ExitWish> six;
  for (const auto* name : {"a", "b", "c", "d", "e", "f"}) six.push_back({id(name)});
  ASSERT_TRUE(pool.give({}, node(1), six, kStart + std::chrono::seconds(60)));
  const auto refused = pool.give({}, node(2), {{id("a")}}, std::nullopt);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_EQ(pool.guests().size(), 6u);
  EXPECT_FALSE(pool.expire(kStart + std::chrono::seconds(59)));
  EXPECT_TRUE(pool.expire(kStart + std::chrono::seconds(60)));
  EXPECT_TRUE(pool.give({}, node(2), {{id("a")}}, std::nullopt));
}

TEST(ExitPool, OneNodeHasNoMoreThanItsRecordNames) {
  ExitPool pool(net::parse_prefix("100.97.0.0/16").value());
  for (std::size_t i = 0; i < net::kMaxRecordContainers; ++i)
    ASSERT_TRUE(pool.give({}, node(1), {{Bytes{static_cast<std::uint8_t>(i)}}}, std::nullopt));
  EXPECT_FALSE(pool.give({}, node(1), {{id("more")}}, std::nullopt));
  EXPECT_TRUE(pool.give({}, node(2), {{id("more")}}, std::nullopt));
}

TEST(ExitMessages, RoundTripAndBytes) {
  const std::vector<ExitWish> wishes{{id("lease-7"), net::parse_ip("100.97.0.3").value()}, {id("x")}};
  const Bytes request = encode_exit_request(wishes);
  EXPECT_EQ(to_hex(request), "0102076c656173652d3764610003017800000000");
  const auto back = decode_exit_request(request);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].ipv4, wishes[0].ipv4);
  EXPECT_FALSE((*back)[1].ipv4);
  const Bytes reply = encode_exit_reply({net::parse_ip("100.97.0.3").value()});
  EXPECT_EQ(to_hex(reply), "010164610003");
  EXPECT_EQ(texts(decode_exit_reply(reply)), std::vector<std::string>{"100.97.0.3"});
}

TEST(ExitMessages, EveryCutAndEveryExcessIsRefused) {
  const Bytes request = encode_exit_request({{id("lease-7")}, {id("x")}});
  for (std::size_t size = 0; size < request.size(); ++size)
    EXPECT_FALSE(decode_exit_request(BytesView(request).first(size))) << size;
  Bytes longer = request;
  longer.push_back(0);
  EXPECT_FALSE(decode_exit_request(longer));
  EXPECT_FALSE(decode_exit_request(encode_exit_request({{id("x")}, {id("x")}})));
  EXPECT_FALSE(decode_exit_request(encode_exit_request({{id("12345678901234567")}})));
  EXPECT_FALSE(decode_exit_request(Bytes{1, 0}));
  EXPECT_FALSE(decode_exit_request(Bytes{2, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_FALSE(decode_exit_reply(Bytes{1, 200}));
}

}  // namespace
}  // namespace bonus::node
