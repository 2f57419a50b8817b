// Names, node labels and reverse names.
#include "bonus/net/dns/labels.hpp"

#include <gtest/gtest.h>

#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/net/dns/name.hpp"

namespace bonus::net::dns {
namespace {

using testing::ip;
using testing::name;

NodeId counting_id() {
  NodeId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(i);
  return id;
}

TEST(LabelsTest, NodeLabelsAreRfc4648) {
  EXPECT_EQ(node_label(counting_id()), "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq");
  NodeId ones;
  ones.bytes.fill(0xff);
  EXPECT_EQ(node_label(ones), "777777777777777777777777777777777777777777777777777q");
  EXPECT_EQ(parse_node_label(node_label(ones)), ones);
  EXPECT_EQ(parse_node_label("AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ"), counting_id());
}

TEST(LabelsTest, OnlyOneLabelForANode) {
  std::string label = node_label(counting_id());
  label.back() = 'r';  // the four bits that are left over
  EXPECT_FALSE(parse_node_label(label));
  EXPECT_FALSE(parse_node_label(std::string(51, 'a')));
  EXPECT_FALSE(parse_node_label(std::string(53, 'a')));
  EXPECT_FALSE(parse_node_label(std::string(51, 'a') + "1"));
  EXPECT_FALSE(parse_node_label(std::string(51, 'a') + "="));
}

TEST(LabelsTest, Leases) {
  EXPECT_EQ(parse_lease_label("lease-0"), 0u);
  EXPECT_EQ(parse_lease_label("lease-18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"lease-", "lease-01", "lease-+1", "lease--1", "lease-1x", "lease-18446744073709551616", "7"})
    EXPECT_FALSE(parse_lease_label(bad)) << bad;
}

TEST(LabelsTest, HostLabels) {
  for (const char* good : {"alice", "a", "4", "x-y", "lease-7"}) EXPECT_TRUE(is_host_label(good)) << good;
  EXPECT_TRUE(is_host_label(std::string(63, 'a')));
  for (const char* bad : {"", "-a", "a-", "Alice", "a.b", "a_b", "\xc3\xa4"}) EXPECT_FALSE(is_host_label(bad)) << bad;
  EXPECT_FALSE(is_host_label(std::string(64, 'a')));
}

TEST(LabelsTest, ReverseNames) {
  const Ipv6 address = ip("fd00::a11c:e");
  const std::string text = "e.0.0.0.c.1.1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
  EXPECT_EQ(reverse_name(address), text);
  EXPECT_EQ(parse_reverse_name(text), address);
  EXPECT_EQ(reverse_name(ip("192.0.2.1")), "1.2.0.192.in-addr.arpa");
  EXPECT_FALSE(parse_reverse_name(text.substr(2)));
  EXPECT_FALSE(parse_reverse_name("g" + text.substr(1)));
  EXPECT_FALSE(parse_reverse_name("ee" + text.substr(2)));
  EXPECT_FALSE(parse_reverse_name(std::string(72, '.')));
}

TEST(NameTest, TextAndBack) {
  EXPECT_EQ(name("Alice.bonus.").to_string(), "Alice.bonus");
  EXPECT_EQ(name(".").to_string(), ".");
  EXPECT_EQ(name(R"(a\.b.c\\d.\001\255)").to_string(), R"(a\.b.c\\d.\001\255)");
  EXPECT_EQ(name(R"(a\.b.c)").labels(), (std::vector<std::string>{"a.b", "c"}));
  for (const char* bad : {"", "a..b", ".a", "a\\", "a\\25", "a\\256", "..", "\\"})
    EXPECT_FALSE(Name::parse(bad)) << bad;
  EXPECT_TRUE(Name::parse(std::string(63, 'a')));
  EXPECT_FALSE(Name::parse(std::string(64, 'a')));
  std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + ".";
  EXPECT_TRUE(Name::parse(longest + std::string(61, 'd')));  // 255 bytes on the wire
  EXPECT_FALSE(Name::parse(longest + std::string(62, 'd')));
}

TEST(NameTest, ComparesLabelsNotLetters) {
  EXPECT_TRUE(name("WEB.Alice.BONUS").ends_with(name("alice.bonus")));
  EXPECT_TRUE(name("alice.bonus").ends_with(name(".")));
  EXPECT_FALSE(name("malice.bonus").ends_with(name("alice.bonus")));
  EXPECT_FALSE(name("bonus").ends_with(name("alice.bonus")));
  // "\005alice" as the tail of a longer label is not the label "alice".
  EXPECT_FALSE(name("x\\005alice.bonus").ends_with(name("alice.bonus")));
  EXPECT_TRUE(name("A").equals(name("a")));
  EXPECT_NE(name("A"), name("a"));
}

TEST(NameTest, WireIsChecked) {
  const Bytes good{1, 'a', 0};
  EXPECT_EQ(Name::from_wire(good).value(), name("a"));
  for (const Bytes& bad :
       {Bytes{}, Bytes{1, 'a'}, Bytes{2, 'a', 0}, Bytes{1, 'a', 0, 0}, Bytes{0xc0, 0}, Bytes(300, 1), Bytes{64, 0}})
    EXPECT_FALSE(Name::from_wire(bad)) << to_hex(bad);
}

}  // namespace
}  // namespace bonus::net::dns
