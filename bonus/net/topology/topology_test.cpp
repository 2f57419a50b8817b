// Reading topologies: what people may write, and what they are told when it is wrong.
#include "bonus/net/topology/topology.hpp"

#include <gmock/gmock.h>

#include <set>

#include "bonus/net/topology/plan.hpp"

namespace bonus::net::topology {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kTwoRegions = R"(
seed = 9
[defaults]
jitter_ms = 1
mtu = 1492
mapping_timeout_s = 30
[[region]]
name = "here"
country = "DE"
latency_ms = 5
[[region]]
name = "there"
latency_ms = 6.5
jitter_ms = 0
[[link]]
between = ["here", "there"]
latency_ms = 40
loss = 0.01
[[carrier]]
name = "isp"
region = "there"
mtu = 1400
[[lan]]
name = "flat"
region = "here"
nat = "full-cone"
subnet = "192.168.77.0/24"
port_mapping = true
[[node]]
region = "here"
address = "51.15.0.1"
mtu = 1500
[[node]]
lan = "flat"
[[node]]
name = "phone"
carrier = "isp"
nat = "address-restricted"
[[node]]
count = 3
region = "there"
nat = "symmetric"
mapping_timeout_s = 60
[[node]]
index = 9
region = "there"
nat = "udp-blocked"
)";

TEST(Topology, Reads) {
  const auto t = parse_topology(kTwoRegions, "t.toml");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_EQ(t->seed, 9u);
  ASSERT_EQ(t->nodes.size(), 7u);
  ASSERT_EQ(t->routers.size(), 7u);
  std::vector<std::string> names;
  for (const auto& node : t->nodes) names.push_back(node.name);
  EXPECT_THAT(names, ::testing::ElementsAre("node-1", "node-2", "phone", "node-3", "node-4", "node-5", "node-9"));
  EXPECT_EQ(t->path(0, 1).latency, milliseconds(40));
  EXPECT_EQ(t->path(1, 0).latency, milliseconds(40));
  EXPECT_EQ(t->path(1, 0).loss, 0.01);
  EXPECT_EQ(t->path(1, 0).jitter, milliseconds(1));
  EXPECT_EQ(t->path(1, 1).latency, std::chrono::microseconds(6500));
  EXPECT_EQ(t->path(1, 1).jitter, milliseconds(0));
  EXPECT_EQ(t->nodes[0].access.mtu, 1500u);
  EXPECT_EQ(t->nat_of(t->nodes[0]), NatKind::kOpen);
  EXPECT_EQ(t->nat_of(t->nodes[1]), NatKind::kFullCone);
  const Router& phone = t->routers[*t->nodes[2].router];
  ASSERT_TRUE(phone.carrier_router);
  EXPECT_EQ(t->routers[*phone.carrier_router].nat, NatKind::kSymmetric);
  EXPECT_EQ(phone.access.mtu, 1400u) << "the carrier's line is the narrow one";
  EXPECT_EQ(t->nodes[2].region, 1u);
  EXPECT_EQ(t->routers[*t->nodes[3].router].mapping_timeout, std::chrono::seconds(60));
  EXPECT_EQ(phone.mapping_timeout, std::chrono::seconds(30));
}

TEST(Topology, EveryProblemHasItsLine) {
  struct Case {
    std::string_view text, expected;
  };
  const Case cases[] = {
      {"[[region]]\nname = \"x\"\n[[node]]\nnat = \"round\"\n", "t:4: nat is one of open, full-cone"},
      {"[[region]]\nname = \"x\"\n[[node]]\nspeed = 1\n", "t:4: unknown key speed; known here: name, index"},
      {"[[region]]\nname = \"x\"\n[[region]]\nname = \"x\"\n[[node]]\n", "region x is described twice"},
      {"[[region]]\nname = \"x\"\n[[region]]\nname = \"y\"\n[[node]]\nregion = \"x\"\n", "no [[link]] between x and y"},
      {"[[region]]\nname = \"X Y\"\n", "a name has 1 to 24 of a-z"},
      {"[[region]]\nname = \"x\"\ncountry = \"D\\\"\"\n[[node]]\n", "two capital letters"},
      {"[[region]]\nname = \"x\"\nlatency_ms = -1\n[[node]]\n", "t:3: latency_ms is a number from 0 to 60000"},
      {"[[region]]\nname = \"x\"\nloss = 2\n[[node]]\n", "t:3: loss is a number from 0 to 1"},
      {"[[region]]\nname = \"x\"\n[[node]]\nmtu = 100\n", "t:4: mtu is a whole number from 576 to 9000"},
      {"[[region]]\nname = \"x\"\n[[node]]\nregion = \"z\"\n", "no region is called z"},
      {"[[region]]\nname = \"x\"\n[[node]]\nlan = \"z\"\n", "t:4: no [[lan]] is called z"},
      {"[[region]]\nname = \"x\"\n[[lan]]\nname = \"l\"\n[[node]]\nlan = \"l\"\nnat = \"open\"\n",
       "nat belongs to the lan"},
      {"[[region]]\nname = \"x\"\n[[lan]]\nname = \"l\"\nnat = \"open\"\n[[node]]\n", "a router is not open"},
      {"[[region]]\nname = \"x\"\n[[node]]\ncount = 65\n", "count is a whole number from 1 to 64"},
      {"[[region]]\nname = \"x\"\n[[node]]\ncount = 40\n[[node]]\ncount = 40\n", "more than 64 nodes"},
      {"[[region]]\nname = \"x\"\n[[node]]\naddress = \"10.0.0.1\"\n", "a public IPv4 address is expected"},
      {"[[region]]\nname = \"x\"\n[[node]]\naddress = \"9.9.9.9\"\n[[node]]\naddress = \"9.9.9.9\"\n", "given twice"},
      {"[[region]]\nname = \"x\"\n[[lan]]\nname = \"l\"\nsubnet = \"9.9.9.0/24\"\n[[node]]\n", "a private IPv4 /24"},
      {"[[region]]\nname = \"x\"\n[[link]]\nbetween = [\"x\"]\n[[node]]\n", "a link has between"},
      {"region = 1\n", "t:1: write [[region]]"},
      {"[[region]]\nname = \"x\"\n", "there is no [[node]]"},
      {"", "there is no [[region]]"},
      {"[[region\n", "t:1: "},
  };
  for (const auto& [text, expected] : cases) {
    const auto out = parse_topology(text, "t");
    ASSERT_FALSE(out) << text;
    EXPECT_EQ(out.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(out.error().message, HasSubstr(expected)) << text;
  }
}

TEST(Topology, AFileIsBounded) {
  const std::string big(kMaxTopologyFile + 1, '#');
  EXPECT_THAT(parse_topology(big, "t").error().message, HasSubstr("larger than"));
}

TEST(Plan, AddressesAreDifferentAndPublicOnesArePublic) {
  auto plan = Plan::make(parse_topology(kTwoRegions, "t").value(), "bn", "x").value();
  for (std::uint32_t generation = 0; generation <= 8; ++generation) {
    std::set<Ipv6> seen, networks;
    for (auto& node : plan.nodes) node.generation = generation;
    for (auto& router : plan.routers) router.generation = generation;
    const auto wire = plan.wire();
    EXPECT_EQ(wire.attachments.size(), 7u);  // one open node, five routers of nodes but the phone's, carrier
    for (const auto& attachment : wire.attachments) {
      ASSERT_EQ(attachment.addresses.size(), 1u);
      Ipv6 address = attachment.addresses[0];
      EXPECT_TRUE(is_global_unicast(address)) << to_string(address);
      EXPECT_TRUE(seen.insert(address).second) << to_string(address);
      address.bytes[15] = 0;
      EXPECT_TRUE(networks.insert(address).second) << "limits of the DHT count /24s";
    }
    const auto back = WireConfig::from_json(wire.to_json());
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->to_json(), wire.to_json());
  }
  EXPECT_EQ(to_string(Plan::make(parse_topology(kTwoRegions, "t").value(), "bn", "x")->public_address(0)), "51.15.0.1");
}

TEST(Plan, WordsThatGoIntoPathsAreChecked) {
  const auto topology = parse_topology(kTwoRegions, "t").value();
  for (const char* tag : {"", "../x", "a-b", "A", "12345678901234567"})
    EXPECT_FALSE(Plan::make(topology, "bn", tag)) << tag;
  EXPECT_FALSE(Plan::make(topology, "", "x"));
}

TEST(Plan, NatScripts) {
  const auto plan = Plan::make(parse_topology(kTwoRegions, "t").value(), "bn", "x").value();
  const auto script = [&](const char* router) { return nat_script(plan, plan.topology.find_router(router).value()); };
  EXPECT_THAT(script("isp"), HasSubstr("masquerade fully-random"));
  EXPECT_THAT(script("flat"), HasSubstr("meta l4proto udp dnat to udp dport map @mappings"));
  EXPECT_THAT(script("phone"), HasSubstr("udp dport . ip saddr @contacts dnat to"));
  EXPECT_THAT(script("node-9"), HasSubstr("policy drop;\n    meta l4proto udp drop"));
  EXPECT_THAT(script("node-3"), Not(HasSubstr("dnat to")));
  EXPECT_THAT(script("flat"), HasSubstr("jump prerouting_miniupnpd"));
  EXPECT_THAT(script("node-3"), Not(HasSubstr("miniupnpd")));
  EXPECT_THAT(port_mapping_config(plan, plan.topology.find_router("flat").value()), HasSubstr("192.168.77.0/24"));
}

TEST(Plan, StateSurvives) {
  auto plan = Plan::make(parse_topology(kTwoRegions, "t").value(), "bn", "x").value();
  plan.toml = kTwoRegions;
  plan.file_name = "t";
  plan.nodes[1].udp_blocked = plan.nodes[2].cut = true;
  plan.nodes[0].generation = 3;
  plan.routers[2].generation = 2;
  plan.topology.paths[1].loss = 0.5;
  plan.topology.nodes[1].router = plan.topology.find_router("node-4");
  plan.topology.nodes[1].region = 1;
  const auto back = Plan::from_state(plan.to_state());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->to_state(), plan.to_state());
  EXPECT_EQ(back->to_json("f"), plan.to_json("f"));
  EXPECT_EQ(back->wire().to_json(), plan.wire().to_json());
  for (const char* text : {"", "{}", "[]", R"({"version":2})", R"({"version":1,"toml":"","file":"t"})"})
    EXPECT_FALSE(Plan::from_state(text)) << text;
}

}  // namespace
}  // namespace bonus::net::topology
