// wg-quick files: what is taken, and what is said about the rest.
#include "bonus/net/tunnel/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bonus::net::tunnel {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kKeyA = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
constexpr std::string_view kKeyB = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

TEST(Config, TakesAWgQuickFile) {
  const std::string text =
      "# office\n"
      "[Interface]\n"
      "PrivateKey = " +
      std::string(kKeyA) +
      "\n"
      "ListenPort=51820 # any would do\n"
      "Address = 10.192.122.1/24, fd00::1/64\n"
      "address = 10.10.0.1\n"
      "MTU = 1420\n"
      "DNS = 1.1.1.1\n"
      "Table = off\n"
      "\n"
      "[peer]\r\n"
      "PublicKey = " +
      std::string(kKeyB) +
      "\r\n"
      "PresharedKey = " +
      std::string(kKeyA) +
      "\n"
      "AllowedIPs = 10.192.122.3/24, ::/0\n"
      "AllowedIPs = 0.0.0.0/0\n"
      "Endpoint = [2001:db8::1]:51820\n"
      "PersistentKeepalive = 25";
  const auto parsed = parse_config(text, "wg0.conf");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(format_key(parsed->private_key), kKeyA);
  EXPECT_EQ(parsed->listen_port, 51820);
  EXPECT_EQ(parsed->mtu, 1420);
  EXPECT_THAT(parsed->addresses,
              ElementsAre(InterfaceAddress{*parse_ip("10.192.122.1"), 120}, InterfaceAddress{*parse_ip("fd00::1"), 64},
                          InterfaceAddress{*parse_ip("10.10.0.1"), 128}));
  EXPECT_THAT(parsed->ignored, ElementsAre("wg0.conf:8: DNS", "wg0.conf:9: Table"));
  ASSERT_EQ(parsed->peers.size(), 1u);
  const PeerSection& peer = parsed->peers[0];
  EXPECT_EQ(format_key(peer.public_key), kKeyB);
  EXPECT_EQ(format_key(peer.preshared_key), kKeyA);
  // Bits below the length are cleared, as wg does.
  EXPECT_THAT(peer.allowed_ips,
              ElementsAre(*parse_prefix("10.192.122.0/24"), *parse_prefix("::/0"), *parse_prefix("0.0.0.0/0")));
  EXPECT_EQ(peer.endpoint_host, "2001:db8::1");
  EXPECT_EQ(peer.endpoint_port, 51820);
  EXPECT_EQ(peer.persistent_keepalive_s, 25);
}

TEST(Config, SaysWhereAndWhatIsWrong) {
  const std::string interface_section = "[Interface]\nPrivateKey = " + std::string(kKeyA) + "\n";
  const std::string peer_section = interface_section + "[Peer]\nPublicKey = " + std::string(kKeyB) + "\n";
  struct Bad {
    std::string text, expected;
  };
  for (const Bad& bad : {
           Bad{"", "f:0: no [Interface] section"},
           Bad{"PrivateKey = x", "f:1: a key before any section"},
           Bad{"[Interfce]", "f:1: unknown section \"[Interfce]\"; did you mean [Interface]?"},
           Bad{"[Peer", "f:1: unknown section \"[Peer\"; did you mean [Peer]?"},
           Bad{"[Interface]\nListenPort = 1\n", "f:1: [Interface] has no PrivateKey"},
           Bad{"[Interface]\nPrivateKey = abc", "f:2: PrivateKey is not a key: 44 characters"},
           Bad{"[Interface]\nPrivateKey = " + std::string(43, 'A') + "=", "f:2: PrivateKey is zero"},
           Bad{interface_section + "MTUU = 3", "f:3: unknown key \"MTUU\"; did you mean MTU?"},
           Bad{interface_section + "Endpoint = a:1", "f:3: Endpoint belongs into a [Peer] section"},
           Bad{interface_section + "ListenPort = 65536", "f:3: ListenPort is not a number"},
           Bad{interface_section + "Address = 10.0.0.1/33", "f:3: \"10.0.0.1/33\" has no prefix length of 0 to 32"},
           Bad{interface_section + "Address = fd00:\xff::1", "f:3: \"fd00:?::1\" is not an IP address or prefix"},
           Bad{interface_section + "Address = 10.0.0.1" + std::string(1, '\0') + "x", "f:3: \"10.0.0.1?x\" is not"},
           Bad{interface_section + "Address = 10.0.0.1,,", "f:3: an empty entry"},
           Bad{interface_section + "[Interface]\n", "f:3: a second [Interface]"},
           Bad{interface_section + "nonsense", "f:3: \"nonsense\" is not \"Key = value\""},
           Bad{interface_section + "[Peer]\nAllowedIPs = ::/0\n", "f:3: [Peer] has no PublicKey"},
           Bad{peer_section + "AlowedIPs = ::/0", "f:5: unknown key \"AlowedIPs\"; did you mean AllowedIPs?"},
           Bad{peer_section + "MTU = 1280", "f:5: MTU belongs into the [Interface] section"},
           Bad{peer_section + "Endpoint = 2001:db8::1:51820", "f:5: Endpoint is not \"host:port\""},
           Bad{peer_section + "Endpoint = host:0", "f:5: Endpoint is not"},
           Bad{peer_section + "PersistentKeepalive = often", "f:5: PersistentKeepalive is not"},
           Bad{peer_section + "[Peer]\nPublicKey = " + std::string(kKeyB), "f:5: a second [Peer] with this PublicKey"},
       }) {
    const auto parsed = parse_config(bad.text, "f");
    ASSERT_FALSE(parsed) << bad.text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(parsed.error().message, ::testing::StartsWith(bad.expected));
  }
}

TEST(Config, ErrorsNeverShowASecret) {
  const std::string almost(kKeyA.substr(0, 43));
  const auto parsed = parse_config("[Interface]\nPrivateKey = " + almost, "f");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message.find(almost.substr(0, 8)), std::string::npos);
}

TEST(Config, KeysAreStrictBase64) {
  EXPECT_TRUE(parse_key(kKeyA));
  EXPECT_EQ(format_key(*parse_key(kKeyA)), kKeyA);
  std::string trailing(kKeyA);
  trailing[42] = 'l';  // bits beyond the 32 bytes
  EXPECT_FALSE(parse_key(trailing));
  EXPECT_FALSE(parse_key(std::string(kKeyA) + "\n"));
  EXPECT_FALSE(parse_key(""));
}

}  // namespace
}  // namespace bonus::net::tunnel
