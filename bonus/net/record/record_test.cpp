// Records come back as signed, and no byte of them can be changed.
#include "bonus/net/record/record.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "bonus/crypto/hash.hpp"

namespace bonus::net {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

crypto::Ed25519KeyPair root(std::uint8_t seed) {
  crypto::Ed25519Seed bytes;
  bytes.bytes.fill(seed);
  return crypto::Ed25519KeyPair::from_seed(bytes);
}

NodeRecord example(const crypto::Ed25519KeyPair& key) {
  NodeRecord out;
  crypto::X25519Public tunnel;
  tunnel.bytes.fill(9);
  out.tunnel = certify_tunnel_key(key, tunnel, kNow - 10, kNow + 1000);
  out.endpoints = {{RecordEndpoint::Kind::kObserved, parse_endpoint("8.8.8.8:51820").value(), {}},
                   {RecordEndpoint::Kind::kRelay, parse_endpoint("[2606:4700::1]:1").value(), tunnel}};
  out.region = "eu";
  out.asn = 64500;
  out.flags = kServesDht | kExits;
  out.containers = {Bytes{1, 2}, Bytes{3}};
  out.subnets = {parse_prefix("192.168.7.0/24").value()};
  out.sequence = 5;
  out.expires = kNow + 100;
  return out;
}

TEST(Record, ComesBackAsItWasSigned) {
  const auto key = root(1);
  auto record = example(key);
  const auto bytes = sign_record(record, key).value();
  const auto read = open_record(bytes, kNow);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->root, key.public_key());
  EXPECT_EQ(read->endpoints, record.endpoints);
  EXPECT_EQ(read->containers, record.containers);
  EXPECT_EQ(read->subnets, record.subnets);
  EXPECT_EQ(read->region, "eu");
  EXPECT_TRUE(read->has(kExits));
  EXPECT_TRUE(read->owns(overlay_address(crypto::node_id(key.public_key()))));
  EXPECT_TRUE(read->owns(container_address(key.public_key(), Bytes{3})));
  EXPECT_FALSE(read->owns(container_address(key.public_key(), Bytes{4})));
}

TEST(Record, NoByteCanBeChanged) {
  const auto key = root(1);
  auto record = example(key);
  const auto bytes = sign_record(record, key).value();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= 0x40;
    const auto read = open_record(changed, kNow);
    EXPECT_FALSE(read) << "byte " << i;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(open_record(BytesView(bytes).first(size), kNow)) << "first " << size;
}

TEST(Record, SomebodyElsesRootCannotCarryATunnelKey) {
  const auto key = root(1), thief = root(2);
  auto record = example(key);  // the certificate is by `key`
  const auto bytes = sign_record(record, thief).value();
  const auto read = open_record(bytes, kNow);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kDenied);
}

TEST(Record, TimesCount) {
  const auto key = root(1);
  auto record = example(key);
  const auto bytes = sign_record(record, key).value();
  EXPECT_TRUE(open_record(bytes, kNow + 100));
  EXPECT_FALSE(open_record(bytes, kNow + 100 + 301));
  EXPECT_FALSE(open_record(bytes, kNow - 10 - 301));
}

TEST(Record, BoundsAreKeptWhenSigning) {
  const auto key = root(1);
  auto record = example(key);
  record.containers.assign(kMaxRecordContainers + 1, Bytes{1});
  EXPECT_FALSE(sign_record(record, key));
  record = example(key);
  record.region.assign(33, 'x');
  EXPECT_FALSE(sign_record(record, key));
  record = example(key);
  record.endpoints.assign(kMaxRecordEndpoints, record.endpoints[0]);
  record.containers.assign(kMaxRecordContainers, Bytes(kMaxContainerId, 1));
  EXPECT_LE(sign_record(record, key).value().size(), kMaxRecordBytes);
}

TEST(Record, TheEncodingIsFixed) {
  const auto key = root(7);
  auto record = example(key);
  const auto bytes = sign_record(record, key).value();
  EXPECT_EQ(to_hex(crypto::sha256(bytes)), "a1db33cd0522db175ae081847e2b61495e1ab44d11b347827b3ca709efa5a010");
}

}  // namespace
}  // namespace bonus::net
