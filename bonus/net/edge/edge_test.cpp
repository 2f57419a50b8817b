// Delegations, invitations and the files that clients get.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "bonus/crypto/hash.hpp"
#include "bonus/net/edge/client_config.hpp"
#include "bonus/net/edge/delegation.hpp"
#include "bonus/net/edge/invites.hpp"
#include "bonus/net/edge/subnet.hpp"
#include "bonus/net/tunnel/config.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::net::edge {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

crypto::Ed25519KeyPair root_key(std::uint8_t seed) {
  crypto::Ed25519Seed bytes;
  bytes.bytes.fill(seed);
  return crypto::Ed25519KeyPair::from_seed(bytes);
}
crypto::X25519Public client_key(std::uint8_t seed) {
  crypto::X25519Secret secret;
  secret.bytes.fill(seed);
  return crypto::x25519_public(secret);
}
Prefix prefix(std::string_view text) { return parse_prefix(text).value(); }

/// Files in memory; writing can be made to fail.
class MemoryDisk : public runtime::Disk {
 public:
  std::map<std::string, Bytes> files;
  std::map<std::string, unsigned> modes;
  bool broken = false;

  Result<std::unique_ptr<runtime::AppendLog>> open_log(const std::string&) override {
    return fail(ErrorCode::kUnsupported, "no logs here");
  }
  Result<Bytes> read_file(const std::string& path, std::size_t limit) override {
    const auto it = files.find(path);
    if (it == files.end()) return fail(ErrorCode::kNotFound, "no such file");
    if (it->second.size() > limit) return fail(ErrorCode::kExhausted, "too large");
    return it->second;
  }
  Result<> write_file(const std::string& path, BytesView content, unsigned mode) override {
    if (broken) return fail(ErrorCode::kIo, "the disk is full");
    files[path].assign(content.begin(), content.end());
    modes[path] = mode;
    return {};
  }
  bool exists(const std::string& path) override { return files.contains(path); }
};

TEST(ClientDelegationTest, GoldenAndTampering) {
  const auto root = root_key(1);
  ClientDelegation delegation;
  delegation.client = client_key(2);
  delegation.exit = true;
  delegation.not_before = kNow;
  delegation.expires = kNow + 3600;
  const Bytes encoded = sign_client(delegation, root);
  ASSERT_EQ(encoded.size(), kClientDelegationBytes);
  EXPECT_EQ(to_hex(BytesView(encoded).first(82)), "01" + to_hex(root.public_key()) + to_hex(client_key(2)) +
                                                      "01"
                                                      "000000006b49d200"
                                                      "000000006b49e010");
  const auto opened = open_client(encoded, kNow);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(opened->exit);
  EXPECT_EQ(opened->address(), container_address(root.public_key(), client_id(client_key(2))));
  EXPECT_TRUE(is_overlay(opened->address()));
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    Bytes changed = encoded;
    changed[i] ^= 1;
    EXPECT_FALSE(open_client(changed, kNow)) << i;
  }
  EXPECT_FALSE(open_client(BytesView(encoded).first(encoded.size() - 1), kNow));
  EXPECT_FALSE(open_client({}, kNow));
  EXPECT_TRUE(open_client(encoded, kNow - 300));
  EXPECT_EQ(open_client(encoded, kNow - 301).error().code, ErrorCode::kDenied);
  EXPECT_TRUE(open_client(encoded, kNow + 3600 + 299));
  EXPECT_EQ(open_client(encoded, kNow + 3600 + 300).error().code, ErrorCode::kDenied);
}

TEST(ClientDelegationTest, AnotherKeyOrGatewayIsAnotherAddress) {
  EXPECT_EQ(client_id(client_key(1)).size(), 16u);
  EXPECT_EQ(as_text(client_id(client_key(1))).substr(0, 4), "edge");
  const Ipv6 one = client_address(root_key(1).public_key(), client_key(1));
  EXPECT_NE(one, client_address(root_key(1).public_key(), client_key(2)));
  EXPECT_NE(one, client_address(root_key(2).public_key(), client_key(1)));
}

TEST(SubnetTest, WhatMayBeAnnounced) {
  for (const char* good : {"192.168.2.0/24", "10.0.0.0/8", "203.0.113.7", "2001:db8:1::/48", "fc00:1::/32"})
    EXPECT_TRUE(check_subnet(prefix(good))) << good;
  for (const char* bad : {"0.0.0.0/0", "::/0", "fd00::/8", "fd12::/16", "127.0.0.0/8", "127.1.0.0/16", "169.254.1.0/24",
                          "224.0.0.0/8", "2000::/3", "fe80::/64", "ff02::/16", "::/96", "0.0.0.0/7", "::1"})
    EXPECT_FALSE(check_subnet(prefix(bad))) << bad;
  Prefix host_bits = prefix("192.168.2.0/24");
  host_bits.address.bytes[15] = 1;
  EXPECT_FALSE(check_subnet(host_bits));
  host_bits.bits = 129;
  EXPECT_FALSE(check_subnet(host_bits));
}

TEST(SubnetTest, SignedAndOpened) {
  const auto root = root_key(3);
  SubnetDelegation delegation;
  delegation.prefix = prefix("192.168.2.0/24");
  delegation.accepted_by.bytes.fill(9);
  delegation.not_before = kNow;
  delegation.expires = kNow + 60;
  const Bytes encoded = sign_subnet(delegation, root).value();
  ASSERT_EQ(encoded.size(), kSubnetDelegationBytes);
  const auto opened = open_subnet(encoded, kNow + 10);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->prefix, delegation.prefix);
  EXPECT_EQ(opened->accepted_by, delegation.accepted_by);
  EXPECT_EQ(opened->node(), crypto::node_id(root.public_key()));
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    Bytes changed = encoded;
    changed[i] ^= 0x80;
    EXPECT_FALSE(open_subnet(changed, kNow)) << i;
  }
  EXPECT_FALSE(open_subnet(encoded, kNow + 60 + 300));
  delegation.prefix = prefix("0.0.0.0/0");
  EXPECT_FALSE(sign_subnet(delegation, root));
  delegation.prefix = prefix("192.168.2.0/24");
  delegation.expires = delegation.not_before;
  EXPECT_FALSE(sign_subnet(delegation, root));
}

TEST(SubnetTest, OnlyWhatIsAcceptedIsRouted) {
  NodeId self, a, b, c;
  self.bytes.fill(1), a.bytes.fill(2), b.bytes.fill(3), c.bytes.fill(4);
  const NodeId any;
  const std::vector<AcceptRule> rules{{a, prefix("192.168.0.0/16")},
                                      {b, prefix("192.168.2.0/24")},
                                      {b, prefix("10.0.0.0/8")},
                                      {self, prefix("172.16.0.0/12")}};
  const auto routes = [&](const std::vector<Announcement>& announced, const std::vector<Prefix>& own = {}) {
    return accepted_routes(rules, announced, self, own);
  };
  EXPECT_EQ(routes({{a, prefix("192.168.2.0/24"), any}}), (std::vector<AcceptedRoute>{{prefix("192.168.2.0/24"), a}}));
  EXPECT_TRUE(routes({{a, prefix("10.1.0.0/16"), any}}).empty()) << "of b only";
  EXPECT_TRUE(routes({{a, prefix("192.0.0.0/8"), any}}).empty()) << "wider than the rule";
  EXPECT_TRUE(routes({{c, prefix("192.168.2.0/24"), any}}).empty()) << "nobody named it";
  EXPECT_TRUE(routes({{self, prefix("172.16.0.0/12"), any}}).empty());
  EXPECT_TRUE(routes({{a, prefix("192.168.2.0/24"), c}}).empty()) << "meant for another";
  EXPECT_EQ(routes({{a, prefix("192.168.2.0/24"), self}}).size(), 1u);
  EXPECT_TRUE(routes({{a, prefix("192.168.2.0/24"), any}}, {prefix("192.168.0.0/16")}).empty()) << "our own network";
  // Both may; the earlier rule has it, whoever came first.
  EXPECT_EQ(routes({{b, prefix("192.168.2.0/24"), any},
                    {a, prefix("192.168.2.128/25"), any},
                    {b, prefix("10.2.0.0/16"), any},
                    {b, prefix("10.2.0.0/16"), any}}),
            (std::vector<AcceptedRoute>{{prefix("192.168.2.128/25"), a}, {prefix("10.2.0.0/16"), b}}));
  std::vector<Announcement> flood;
  for (unsigned i = 0; i < 5000; ++i) {
    Announcement one{b, prefix("10.0.0.0/24"), any};
    one.prefix.address.bytes[13] = static_cast<std::uint8_t>(i / 256);
    one.prefix.address.bytes[14] = static_cast<std::uint8_t>(i);
    flood.push_back(one);
  }
  EXPECT_EQ(routes(flood).size(), kMaxAcceptedRoutes);
}

TEST(SubnetTest, RulesAreRead) {
  const std::string id(64, 'a');
  const auto rule = parse_accept(id + "=192.168.2.0/24");
  ASSERT_TRUE(rule);
  EXPECT_EQ(to_hex(rule->first), id);
  EXPECT_EQ(rule->second, prefix("192.168.2.0/24"));
  for (const std::string& bad : std::vector<std::string>{"", id, id + "=", "aa=192.168.2.0/24", id + "=0.0.0.0/0",
                                                         id + "=192.168.2.1/24", id + "=fd00::/8"})
    EXPECT_FALSE(parse_accept(bad)) << bad;
}

class InviteTest : public ::testing::Test {
 protected:
  std::unique_ptr<InviteRegistry> open() { return InviteRegistry::open(disk_, "invites.json", root_).value(); }
  Result<Invitation> make(InviteRegistry& registry, const std::string& name, bool exit = false,
                          UnixSeconds lifetime = 0, UnixSeconds now = kNow) {
    InviteRequest request;
    request.name = name;
    request.exit = exit;
    request.lifetime_s = lifetime;
    return registry.invite(request, pool_, now);
  }

  MemoryDisk disk_;
  crypto::Ed25519KeyPair root_ = root_key(5);
  std::optional<Prefix> pool_ = prefix("10.66.0.0/29");
};

TEST_F(InviteTest, KeptOverARestart) {
  auto registry = open();
  const Invitation phone = make(*registry, "phone", true).value();
  ASSERT_TRUE(phone.private_key);
  EXPECT_EQ(crypto::x25519_public(*phone.private_key), phone.invite.key);
  EXPECT_EQ(to_string(*phone.invite.ipv4), "10.66.0.2");
  const Invitation laptop = make(*registry, "laptop").value();
  EXPECT_FALSE(laptop.invite.ipv4);
  EXPECT_EQ(disk_.modes["invites.json"], 0600u);
  EXPECT_EQ(as_text(disk_.files["invites.json"]).find(tunnel::format_key(*phone.private_key)), std::string_view::npos);

  const auto again = open();
  const std::vector<Invite> list = again->list(kNow);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "laptop");
  EXPECT_EQ(list[1].key, phone.invite.key);
  EXPECT_EQ(list[1].preshared_key, phone.invite.preshared_key);
  EXPECT_EQ(list[1].ipv4, phone.invite.ipv4);
  const ClientDelegation delegation = open_client(list[1].delegation, kNow).value();
  EXPECT_EQ(delegation.address(), again->address_of(list[1]));
  EXPECT_EQ(again->allowed_of(list[1]), (std::vector<Prefix>{{delegation.address(), 128}, prefix("10.66.0.2")}));
}

TEST_F(InviteTest, NamesAndKeysAreTakenOnce) {
  auto registry = open();
  const Invite phone = make(*registry, "phone").value().invite;
  EXPECT_EQ(make(*registry, "phone").error().code, ErrorCode::kExists);
  InviteRequest same;
  same.name = "other";
  same.key = phone.key;
  EXPECT_EQ(registry->invite(same, pool_, kNow).error().code, ErrorCode::kExists);
  same.key = crypto::X25519Public();  // a point of low order: everybody knows the secret
  EXPECT_EQ(registry->invite(same, pool_, kNow).error().code, ErrorCode::kInvalid);
  for (const char* bad : {"", "-a", "a-", "A", "a b", "a\n"})
    EXPECT_EQ(make(*registry, bad).error().code, ErrorCode::kInvalid) << bad;
  ASSERT_TRUE(registry->revoke("phone"));
  EXPECT_EQ(registry->revoke("phone").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(registry->find("phone", kNow).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(make(*registry, "phone"));
  EXPECT_EQ(open()->list(kNow).size(), 1u);
}

TEST_F(InviteTest, GivenKeysHaveNoPrivateHalfHere) {
  auto registry = open();
  InviteRequest request;
  request.name = "own";
  request.key = client_key(7);
  const Invitation invitation = registry->invite(request, pool_, kNow).value();
  EXPECT_FALSE(invitation.private_key);
  EXPECT_EQ(invitation.invite.key, client_key(7));
}

TEST_F(InviteTest, ThePoolEnds) {
  auto registry = open();
  for (int i = 2; i <= 6; ++i)
    EXPECT_EQ(to_string(*make(*registry, "c" + std::to_string(i), true).value().invite.ipv4),
              "10.66.0." + std::to_string(i));
  EXPECT_EQ(make(*registry, "late", true).error().code, ErrorCode::kExhausted);
  EXPECT_TRUE(make(*registry, "late", false));
  ASSERT_TRUE(registry->revoke("c4"));
  EXPECT_EQ(to_string(*make(*registry, "next", true).value().invite.ipv4), "10.66.0.4");
  pool_.reset();
  EXPECT_FALSE(make(*registry, "six", true).value().invite.ipv4) << "an exit without IPv4";
  pool_ = prefix("2001:db8::/64");
  EXPECT_EQ(make(*registry, "odd", true).error().code, ErrorCode::kInvalid);
}

TEST_F(InviteTest, TheyEnd) {
  auto registry = open();
  ASSERT_TRUE(make(*registry, "short", false, 60));
  ASSERT_TRUE(make(*registry, "longer", false, 600));
  ASSERT_TRUE(make(*registry, "ever"));
  EXPECT_EQ(registry->next_expiry(kNow), kNow + 60);
  EXPECT_EQ(registry->list(kNow + 59).size(), 3u);
  EXPECT_EQ(registry->list(kNow + 60).size(), 2u);
  EXPECT_EQ(registry->next_expiry(kNow + 60), kNow + 600);
  EXPECT_FALSE(registry->find("short", kNow + 60));
  EXPECT_TRUE(make(*registry, "short", false, 0, kNow + 60));
  EXPECT_EQ(registry->next_expiry(kNow + 600), std::nullopt);
}

TEST_F(InviteTest, AFailedWriteChangesNothing) {
  auto registry = open();
  ASSERT_TRUE(make(*registry, "phone"));
  disk_.broken = true;
  EXPECT_EQ(make(*registry, "laptop").error().code, ErrorCode::kIo);
  EXPECT_EQ(registry->revoke("phone").error().code, ErrorCode::kIo);
  EXPECT_EQ(registry->list(kNow).size(), 1u);
}

TEST_F(InviteTest, Bounded) {
  auto registry = open();
  pool_.reset();
  // Without writing a thousand times: a file that holds more is refused.
  ASSERT_TRUE(make(*registry, "one"));
  std::string text(as_text(disk_.files["invites.json"]));
  const std::size_t open_at = text.find('[') + 1, close_at = text.rfind(']');
  const std::string entry = text.substr(open_at, close_at - open_at);
  std::string many = text.substr(0, open_at);
  for (std::size_t i = 0; i <= kMaxInvites; ++i) many += (i == 0 ? "" : ",") + entry;
  many += text.substr(close_at);
  disk_.files["invites.json"].assign(many.begin(), many.end());
  const auto refused = InviteRegistry::open(disk_, "invites.json", root_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
}

TEST_F(InviteTest, ADamagedFileIsNotGuessed) {
  auto registry = open();
  ASSERT_TRUE(make(*registry, "phone", true));
  const std::string good(as_text(disk_.files["invites.json"]));
  const auto with = [&](std::string text) {
    disk_.files["invites.json"].assign(text.begin(), text.end());
    const auto opened = InviteRegistry::open(disk_, "invites.json", root_);
    return opened ? ErrorCode::kInternal : opened.error().code;
  };
  EXPECT_EQ(with(good), ErrorCode::kInternal) << "the good one opens";
  for (const std::string& bad : {std::string(), std::string("[]"), std::string("{\"version\":2,\"invites\":[]}"),
                                 good.substr(0, good.size() / 2), std::string(100, '[')})
    EXPECT_EQ(with(bad), ErrorCode::kCorrupt) << bad;
  const auto replace = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_EQ(with(replace("\"exit\":true", "\"exit\":false")), ErrorCode::kCorrupt);
  EXPECT_EQ(with(replace("\"phone\"", "\"Phone\"")), ErrorCode::kCorrupt);
  EXPECT_EQ(with(replace("10.66.0.2", "fd00::1")), ErrorCode::kCorrupt);
  EXPECT_EQ(with(replace("\"created\":1800000000", "\"created\":-1")), ErrorCode::kCorrupt);
  with(good);
  EXPECT_FALSE(InviteRegistry::open(disk_, "invites.json", root_key(6))) << "another node's file";
}

TEST_F(InviteTest, TheFileIsOneThatWireGuardReads) {
  auto registry = open();
  GatewaySettings gateway;
  gateway.endpoint = "gate.example:51820";
  gateway.tunnel_key = client_key(8);
  const Invitation phone = make(*registry, "phone").value();
  const std::string text = registry->config_of(phone.invite, phone.private_key, gateway).value();
  const auto read = tunnel::parse_config(text, "phone.conf");
  ASSERT_TRUE(read) << read.error().message << "\n" << text;
  EXPECT_EQ(read->private_key, *phone.private_key);
  EXPECT_EQ(read->mtu, 1280);
  ASSERT_EQ(read->addresses.size(), 1u);
  EXPECT_EQ(read->addresses[0].address, registry->address_of(phone.invite));
  EXPECT_EQ(read->addresses[0].bits, 128);
  ASSERT_EQ(read->peers.size(), 1u);
  EXPECT_EQ(read->peers[0].public_key, gateway.tunnel_key);
  EXPECT_EQ(read->peers[0].preshared_key, phone.invite.preshared_key);
  EXPECT_EQ(read->peers[0].allowed_ips, std::vector<Prefix>{prefix("fd00::/8")});
  EXPECT_EQ(read->peers[0].endpoint_host, "gate.example");
  EXPECT_EQ(read->peers[0].endpoint_port, 51820);
  EXPECT_EQ(read->peers[0].persistent_keepalive_s, 25);
  const Ipv6 dns = overlay_address(crypto::node_id(root_.public_key()));
  EXPECT_NE(text.find("DNS = " + to_string(dns) + "\n"), std::string::npos);

  const Invitation laptop = make(*registry, "laptop", true).value();
  const std::string with_exit = registry->config_of(laptop.invite, laptop.private_key, gateway).value();
  const auto all = tunnel::parse_config(with_exit, "laptop.conf");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->peers[0].allowed_ips, (std::vector<Prefix>{prefix("::/0"), prefix("0.0.0.0/0")}));
  ASSERT_EQ(all->addresses.size(), 2u);
  EXPECT_EQ(to_string(all->addresses[1].address), "10.66.0.2");

  const std::string without = registry->config_of(phone.invite, std::nullopt, gateway).value();
  EXPECT_EQ(without.find("PrivateKey"), std::string::npos);
  gateway.endpoint = "gate.example:1\nPostUp = rm -rf /";
  EXPECT_FALSE(registry->config_of(phone.invite, phone.private_key, gateway));
  gateway.endpoint = "gate.example";
  EXPECT_FALSE(registry->config_of(phone.invite, phone.private_key, gateway));
}

TEST_F(InviteTest, KeysAreThoseOfTheTools) {
  const Invitation phone = make(*open(), "phone").value();
  runtime::ProcessOptions options;
  options.argv = {"wg", "pubkey"};
  const std::string line = tunnel::format_key(*phone.private_key) + "\n";
  options.input.assign(line.begin(), line.end());
  const auto result = runtime::run_process(options);
  if (!result) GTEST_SKIP() << "no wg here";
  EXPECT_EQ(result->out, tunnel::format_key(phone.invite.key) + "\n");
}

TEST_F(InviteTest, TheToolsReadTheFile) {
  auto registry = open();
  GatewaySettings gateway;
  gateway.endpoint = "127.0.0.1:51820";
  gateway.tunnel_key = client_key(8);
  const Invitation phone = make(*registry, "phone", true).value();
  // wg-quick takes the name of the interface from the file's.
  const auto folder = std::filesystem::temp_directory_path() / ("bnt-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string file = folder / "phone.conf", stripped = folder / "stripped.conf";
  std::ofstream(file) << registry->config_of(phone.invite, phone.private_key, gateway).value();
  const auto run = [](std::vector<std::string> argv) {
    runtime::ProcessOptions options;
    options.argv = std::move(argv);
    return runtime::run_process(options);
  };
  const auto strip = run({"wg-quick", "strip", file});
  if (strip && strip->exit_code == 0) {
    EXPECT_EQ(strip->out.find("Address"), std::string::npos);
    EXPECT_NE(strip->out.find("PresharedKey = " + tunnel::format_key(phone.invite.preshared_key)), std::string::npos);
    std::ofstream(stripped) << strip->out;
    // The file is read before the interface is looked for, which is not there.
    const auto set = run({"wg", "setconf", "bnt-none", stripped});
    ASSERT_TRUE(set);
    EXPECT_EQ(set->err.find("parsing error"), std::string::npos) << set->err;
    EXPECT_NE(set->err.find("Unable to modify interface"), std::string::npos) << set->err;
  }
  std::filesystem::remove_all(folder);
  if (!strip || strip->exit_code != 0) GTEST_SKIP() << "wg-quick does not run here";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == '\n') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  out.pop_back();
  return out;
}

/// Back from half blocks to rows of modules; true: drawn.
std::vector<std::vector<bool>> modules_of(const std::string& text) {
  std::vector<std::vector<bool>> out;
  for (const std::string& line : lines_of(text)) {
    std::vector<bool> upper, lower;
    for (std::size_t i = 0; i < line.size();) {
      const bool blank = line[i] == ' ';
      const std::string block = blank ? " " : line.substr(i, 3);
      upper.push_back(block == "\u2588" || block == "\u2580");
      lower.push_back(block == "\u2588" || block == "\u2584");
      i += blank ? 1 : 3;
    }
    out.push_back(upper);
    out.push_back(lower);
  }
  return out;
}

TEST(QrTest, HasTheFixedPatterns) {
  const auto dark_on_light = modules_of(qr_code(std::string(300, 'x'), true).value());
  const auto light_on_dark = modules_of(qr_code(std::string(300, 'x'), false).value());
  const std::size_t width = dark_on_light[0].size();
  const std::size_t side = width - 8;
  EXPECT_EQ((side - 17) % 4, 0u);  // 21, 25, ... modules
  EXPECT_EQ(dark_on_light.size(), width + 1) << "an odd number of rows: the last half row is empty";
  const auto dark = [&](std::size_t x, std::size_t y) -> bool { return dark_on_light[y + 4][x + 4]; };
  for (std::size_t y = 0; y < width; ++y) {
    ASSERT_EQ(dark_on_light[y].size(), width);
    for (std::size_t x = 0; x < width; ++x) {
      EXPECT_NE(dark_on_light[y][x], light_on_dark[y][x]);
      if (x < 4 || y < 4 || x >= side + 4 || y >= side + 4) EXPECT_FALSE(dark_on_light[y][x]) << "the quiet zone";
    }
  }
  const std::pair<std::size_t, std::size_t> corners[] = {{0, 0}, {side - 7, 0}, {0, side - 7}};
  for (const auto& [left, top] : corners)  // ISO/IEC 18004, section 6.3.3
    for (std::size_t y = 0; y < 7; ++y)
      for (std::size_t x = 0; x < 7; ++x) {
        const std::size_t ring = std::min({x, y, 6 - x, 6 - y});
        EXPECT_EQ(dark(left + x, top + y), ring != 1);
      }
  for (std::size_t i = 8; i < side - 8; ++i) EXPECT_EQ(dark(i, 6), i % 2 == 0) << "timing";
}

TEST(QrTest, Bounds) {
  EXPECT_TRUE(qr_code(std::string(2953, 'x')));
  EXPECT_EQ(qr_code(std::string(2954, 'x')).error().code, ErrorCode::kExhausted);
  EXPECT_TRUE(qr_code(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace bonus::net::edge
