// The address book with addresses that only a pointer proves; the relay's answer that carries one.
#include <gtest/gtest.h>

#include "bonus/net/overlay/book.hpp"
#include "bonus/net/overlay/contact.hpp"

namespace bonus::net::overlay {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

crypto::Ed25519KeyPair root(std::uint8_t seed) {
  crypto::Ed25519Seed bytes;
  bytes.bytes.fill(seed);
  return crypto::Ed25519KeyPair::from_seed(bytes);
}

Bytes record_of(const crypto::Ed25519KeyPair& key, std::uint64_t sequence, std::vector<Bytes> containers = {}) {
  NodeRecord out;
  crypto::X25519Public tunnel_key;
  tunnel_key.bytes.fill(9);
  tunnel_key.bytes[0] = key.public_key().bytes[0];
  out.tunnel = certify_tunnel_key(key, tunnel_key, kNow, kNow + 100000);
  out.containers = std::move(containers);
  out.sequence = sequence;
  out.expires = kNow + 100000;
  return sign_record(out, key).value();
}

AddressPointer pointer(const crypto::Ed25519KeyPair& key, std::size_t i) {
  const auto text = "c" + std::to_string(i);
  return {key.public_key(), Bytes(text.begin(), text.end())};
}
NodeId id(const crypto::Ed25519KeyPair& key) { return crypto::node_id(key.public_key()); }

TEST(BookPointers, AreTheNodesUntilTheyAreTooOldAndThroughNewRecords) {
  AddressBook book;
  const auto a = root(1);
  const auto first = pointer(a, 1), second = pointer(a, 2);
  EXPECT_EQ(book.prove(first, kNow), AddressBook::Proven::kUnknownNode);
  EXPECT_EQ(book.owner_of(first.address()), nullptr);
  ASSERT_TRUE(book.add(record_of(a, 1), kNow));
  EXPECT_EQ(book.prove(first, kNow), AddressBook::Proven::kNew);
  EXPECT_EQ(book.prove(second, kNow + 10), AddressBook::Proven::kNew);
  EXPECT_EQ(book.owner_of(first.address()), book.find(id(a)));
  EXPECT_EQ(book.pointed(id(a)).size(), 2u);
  EXPECT_EQ(book.pointer_to(first.address()), first);
  // The newer record names one of them: it has that address by itself.
  ASSERT_TRUE(book.add(record_of(a, 2, {first.container}), kNow));
  EXPECT_EQ(book.pointed(id(a)), std::vector{second.address()});
  EXPECT_EQ(book.owner_of(second.address()), book.find(id(a)));
  EXPECT_EQ(book.prove(second, kNow + 5000), AddressBook::Proven::kAgain);
  EXPECT_EQ(book.expire_pointed(kNow + 7200), std::vector{id(a)});
  EXPECT_NE(book.owner_of(first.address()), nullptr) << "the record still says so";
  EXPECT_NE(book.owner_of(second.address()), nullptr) << "proven again meanwhile";
  EXPECT_EQ(book.expire_pointed(kNow + 5000 + 7200), std::vector{id(a)});
  EXPECT_EQ(book.owner_of(second.address()), nullptr);
  EXPECT_TRUE(book.expire_pointed(kNow + 90000).empty());
}

TEST(BookPointers, AreForgottenWithTheNode) {
  AddressBook book(1);
  const auto a = root(1), b = root(2);
  ASSERT_TRUE(book.add(record_of(a, 1), kNow));
  ASSERT_EQ(book.prove(pointer(a, 1), kNow), AddressBook::Proven::kNew);
  ASSERT_TRUE(book.add(record_of(b, 1), kNow));
  EXPECT_EQ(book.owner_of(pointer(a, 1).address()), nullptr);
  EXPECT_TRUE(book.pointed(id(a)).empty());
  EXPECT_TRUE(book.expire_pointed(kNow + 90000).empty());
}

TEST(BookPointers, AreBoundedForANodeAndInAll) {
  AddressBook book;
  constexpr std::size_t kNodes = AddressBook::kMaxPointed / kMaxPointers + 1;
  for (std::uint8_t n = 1; n <= kNodes; ++n) {
    const auto key = root(n);
    ASSERT_TRUE(book.add(record_of(key, 1), kNow));
    for (std::size_t i = 0; i < kMaxPointers + (n == 1 ? 50 : 0); ++i)
      ASSERT_EQ(book.prove(pointer(key, i), kNow + n), AddressBook::Proven::kNew);
    ASSERT_EQ(book.pointed(id(key)).size(), kMaxPointers);
  }
  EXPECT_TRUE(book.pointed(id(root(1))).empty()) << "proven longest ago";
  EXPECT_EQ(book.pointed(id(root(2))).size(), kMaxPointers);
}

TEST(BookPointers, OfTunnelledNodesAreLookedUpAgainInTime) {
  AddressBook book;
  const auto a = root(1);
  ASSERT_TRUE(book.add(record_of(a, 1), kNow));
  (void)book.prove(pointer(a, 1), kNow);
  EXPECT_FALSE(book.pointed_due(kNow + 5000)) << "nobody talks to it";
  book.pin(id(a), true);
  EXPECT_FALSE(book.pointed_due(kNow + 3000));
  EXPECT_EQ(book.pointed_due(kNow + 3600), pointer(a, 1).address());
  EXPECT_FALSE(book.pointed_due(kNow + 3700));
  EXPECT_EQ(book.pointed_due(kNow + 4300), pointer(a, 1).address());
  (void)book.prove(pointer(a, 1), kNow + 4301);
  EXPECT_FALSE(book.pointed_due(kNow + 5000));
}

TEST(ContactPointers, ARelaysAnswerNamesTheContainerWhereTheRecordDoesNot) {
  const FindAnswer answer{7, Bytes{0xcc}, Bytes{'c', '1'}};
  const auto bytes = encode_found(answer);
  EXPECT_EQ(to_hex(bytes), "01050000000000000007026331cc");
  const auto back = decode_found(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, 7u);
  EXPECT_EQ(back->record, answer.record);
  EXPECT_EQ(back->container, answer.container);
  const auto plain = decode_found(encode_found({7, Bytes{0xcc}}));
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->container.empty());
  for (std::size_t size = 10; size < 13; ++size) EXPECT_FALSE(decode_found(BytesView(bytes).first(size))) << size;
  auto bad = bytes;
  bad[10] = 0;
  EXPECT_FALSE(decode_found(bad));
  bad[10] = 17;
  bad.resize(60);
  EXPECT_FALSE(decode_found(bad));
  // Never longer than the question.
  const auto full = encode_found({7, Bytes(kMaxRecordBytes, 1), Bytes(16, 'x')});
  EXPECT_LE(full.size(), encode_find({7, {}}).size());
  EXPECT_TRUE(decode_found(full)->record.empty());
}

}  // namespace
}  // namespace bonus::net::overlay
