// Records of the Names contract as a zone.
#include "bonus/net/dns/chain_zone.hpp"

#include <gtest/gtest.h>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/dns/dns_testing.hpp"

namespace bonus::net::dns {
namespace {

TEST(ChainZoneTest, EveryKindOfRecord) {
  namespace names = chain::names;
  Ed25519PublicKey key;
  key.bytes.fill(4);
  names::NameRecords records;
  records.push_back({"", 300, names::Aaaa{testing::ip("fd00::1")}});
  records.push_back({"", 20, names::Txt{Bytes{'h', 'i'}}});
  records.push_back({"_http._tcp", 300, names::Srv{1, 2, 80, "web.alice.bonus"}});
  records.push_back({"node", 0, names::NodeKey{key}});
  records.push_back({"www", 300, names::Alias{"lease-7.bonus"}});
  const NameZone zone = zone_of(names::decode_records(names::encode_records(records).value()).value(), 90);
  EXPECT_EQ(zone.ttl_s, 90u);
  ASSERT_EQ(zone.entries.size(), 4u);
  EXPECT_EQ(zone.entries[0].sub, "");
  EXPECT_EQ(zone.entries[0].addresses, std::vector<Ipv6>{testing::ip("fd00::1")});
  EXPECT_EQ(zone.entries[0].texts, std::vector<std::string>{"hi"});
  EXPECT_EQ(zone.entries[0].ttl_s, 20u);
  EXPECT_EQ(zone.entries[1].services, (std::vector<ServiceRecord>{{1, 2, 80, "web.alice.bonus"}}));
  EXPECT_EQ(zone.entries[2].addresses, std::vector<Ipv6>{overlay_address(crypto::node_id(key))});
  EXPECT_EQ(zone.entries[2].ttl_s, 1u) << "zero would mean the zone's";
  EXPECT_EQ(zone.entries[3].alias, "lease-7.bonus");
}

}  // namespace
}  // namespace bonus::net::dns
