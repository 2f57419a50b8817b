// Addresses of both families as text, prefixes, and what follows from keys.
#include "bonus/net/api/address.hpp"

#include <gtest/gtest.h>

namespace bonus::net {
namespace {

TEST(Address, TextOfBothFamiliesComesBack) {
  for (const std::string text : {"fd00::1", "::", "2001:db8::ff", "192.0.2.1"}) {
    const auto ip = parse_ip(text);
    ASSERT_TRUE(ip) << text;
    EXPECT_EQ(to_string(*ip), text);
  }
  EXPECT_FALSE(parse_ip("192.0.2.256"));
  EXPECT_FALSE(parse_ip(""));
  EXPECT_FALSE(parse_ip("fe80::1%eth0"));
}

TEST(Address, EndpointsNeedBracketsAndAPort) {
  EXPECT_EQ(to_string(parse_endpoint("192.0.2.1:51820").value()), "192.0.2.1:51820");
  EXPECT_EQ(to_string(parse_endpoint("[2001:db8::1]:1").value()), "[2001:db8::1]:1");
  for (const std::string text : {"2001:db8::1:1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "[]:1", ":1", "host:1"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(Address, PrefixesSayWhatIsWrong) {
  const auto ten = parse_prefix("10.0.0.0/8").value();
  EXPECT_EQ(ten.bits, 104);
  EXPECT_TRUE(ten.contains(parse_ip("10.255.0.1").value()));
  EXPECT_FALSE(ten.contains(parse_ip("11.0.0.1").value()));
  EXPECT_EQ(to_string(ten), "10.0.0.0/8");
  const auto bad = parse_prefix("10.0.0.1/8");
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().message.contains("10.0.0.0/8")) << bad.error().message;
  EXPECT_FALSE(parse_prefix("10.0.0.0/33"));
  EXPECT_FALSE(parse_prefix("fd00::/129"));
  EXPECT_TRUE(parse_prefix("::/0")->contains(parse_ip("1.2.3.4").value()));
}

TEST(Address, OnlyPublicUnicastIsGlobal) {
  for (const std::string text : {"8.8.8.8", "2606:4700::1", "11.0.0.1"})
    EXPECT_TRUE(is_global_unicast(parse_ip(text).value())) << text;
  for (const std::string text : {"10.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "fd00::1", "ff02::1", "::1",
                                 "::", "169.254.1.1", "100.64.0.1", "fe80::1", "192.168.1.1", "0.0.0.0"})
    EXPECT_FALSE(is_global_unicast(parse_ip(text).value())) << text;
}

TEST(Address, OverlayAddressesFollowFromKeys) {
  NodeId id;
  for (std::size_t i = 0; i < 32; ++i) id.bytes[i] = static_cast<std::uint8_t>(i + 1);
  EXPECT_EQ(to_string(overlay_address(id)), "fd01:203:405:607:809:a0b:c0d:e0f");
  Ed25519PublicKey root;
  const Bytes one{1}, two{2};
  EXPECT_NE(container_address(root, one), container_address(root, two));
  root.bytes[0] = 1;
  EXPECT_TRUE(is_overlay(container_address(root, one)));
  EXPECT_NE(container_address(root, one), container_address({}, one));
}

}  // namespace
}  // namespace bonus::net
