// First contact between two finders, forged and late answers; the address book.
#include "bonus/net/overlay/contact.hpp"

#include <gtest/gtest.h>

#include "bonus/net/overlay/book.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::overlay {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

crypto::Ed25519KeyPair root(std::uint8_t seed) {
  crypto::Ed25519Seed bytes;
  bytes.bytes.fill(seed);
  return crypto::Ed25519KeyPair::from_seed(bytes);
}

struct Signed {
  NodeRecord record;
  Bytes encoded;
};
Signed record_of(const crypto::Ed25519KeyPair& key, std::uint64_t sequence, std::uint8_t tunnel = 9,
                 std::vector<Bytes> containers = {}) {
  Signed out;
  crypto::X25519Public tunnel_key;
  tunnel_key.bytes.fill(tunnel);
  out.record.tunnel = certify_tunnel_key(key, tunnel_key, kNow, kNow + 1000);
  out.record.containers = std::move(containers);
  out.record.sequence = sequence;
  out.record.expires = kNow + 1000;
  out.encoded = sign_record(out.record, key).value();
  return out;
}

const UdpEndpoint kWhere = parse_endpoint("8.8.8.8:7").value();

TEST(Contact, KeysOfBothFormsAgree) {
  const auto key = root(3);
  EXPECT_EQ(contact_key(key.public_key()).value(), crypto::x25519_public(contact_secret(key)));
  EXPECT_FALSE(contact_key({}));
}

TEST(Contact, FromRootKeyToRecord) {
  const auto alice = root(1), bob = root(2);
  ContactFinder asks(runtime::system_random()), answers(runtime::system_random());
  const auto hers = record_of(alice, 1).encoded, his = record_of(bob, 1).encoded;
  asks.set_self(hers);
  answers.set_self(his);
  Instant now{};
  ASSERT_TRUE(asks.want(bob.public_key(), kWhere, now));
  ASSERT_EQ(asks.next_timer(), now);
  const auto sends = asks.on_timer(now);
  ASSERT_EQ(sends.size(), 1u);
  EXPECT_TRUE(asks.on_timer(now).empty()) << "once, then a pause";
  Sealer alice_sealer(contact_secret(alice), runtime::system_random());
  Sealer bob_sealer(contact_secret(bob), runtime::system_random());
  const auto request =
      bob_sealer.open(alice_sealer.seal(DatagramKind::kContact, sends[0].to, sends[0].payload).value());
  ASSERT_TRUE(request);
  const auto read = answers.on_request(request->payload);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->record, hers);
  EXPECT_LE(read->reply.size(), sends[0].payload.size()) << "no answer may be longer than its question";
  EXPECT_TRUE(ContactFinder::is_request(request->payload));
  EXPECT_FALSE(ContactFinder::is_request(read->reply));
  const auto reply = alice_sealer.open(bob_sealer.seal(DatagramKind::kContact, request->from, read->reply).value());
  ASSERT_TRUE(reply);
  const auto answer = asks.on_reply(reply->from, kWhere, reply->payload, now);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->record, his);
  EXPECT_EQ(asks.root_of(reply->from), bob.public_key());
  EXPECT_FALSE(asks.next_timer());
  EXPECT_FALSE(asks.on_reply(reply->from, kWhere, reply->payload, now)) << "one answer to one question";
  asks.again(bob.public_key(), now);
  EXPECT_EQ(asks.on_timer(now).size(), 1u);
}

TEST(Contact, TheBytesAreThoseOfTheDocument) {
  ContactFinder finder(runtime::system_random());
  finder.set_self(Bytes{0xaa, 0xbb});
  const auto asked = finder.introduction();
  ASSERT_EQ(asked.size(), 1036u);
  EXPECT_EQ(to_hex(BytesView(asked).first(15)),
            "01010000000000000000"
            "0002aabb00");
  const auto reply = finder.on_request(asked);
  ASSERT_TRUE(reply);
  EXPECT_EQ(to_hex(reply->reply), "01020000000000000000aabb");
  const auto find = encode_find({0x0102030405060708, parse_ip("fd00::9").value()});
  ASSERT_EQ(find.size(), 1036u);
  EXPECT_EQ(to_hex(BytesView(find).first(27)),
            "01030102030405060708"
            "fd000000000000000000000000000009"
            "00");
  EXPECT_EQ(to_hex(encode_found({7, Bytes{0xcc}})), "01040000000000000007cc");
}

TEST(Contact, StrangersAndOldAnswersAreRefused) {
  const auto bob = root(2), eve = root(4);
  ContactFinder asks(runtime::system_random());
  ASSERT_TRUE(asks.want(bob.public_key(), kWhere, {}));
  ASSERT_EQ(asks.on_timer({}).size(), 1u);
  Bytes forged{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 5};
  EXPECT_EQ(asks.on_reply(contact_key(eve.public_key()).value(), kWhere, forged, {}).error().code, ErrorCode::kDenied);
  EXPECT_EQ(asks.on_reply(contact_key(bob.public_key()).value(), kWhere, forged, {}).error().code, ErrorCode::kDenied);
  forged[1] = 1;
  EXPECT_FALSE(asks.on_reply(contact_key(bob.public_key()).value(), kWhere, forged, {}));
  EXPECT_FALSE(asks.on_request(Bytes(100, 1))) << "shorter than an answer could be";
  Bytes lies(1100, 1);
  lies[10] = 0xff;
  EXPECT_FALSE(asks.on_request(lies)) << "a record longer than the datagram";
}

TEST(Contact, AsksLessAndLessOftenAndIsBounded) {
  ContactFinder asks(runtime::system_random(), 2);
  ASSERT_TRUE(asks.want(root(1).public_key(), kWhere, {}));
  ASSERT_TRUE(asks.want(root(2).public_key(), kWhere, {}));
  EXPECT_EQ(asks.want(root(3).public_key(), kWhere, {}).error().code, ErrorCode::kExhausted);
  std::size_t asked = 0;
  for (Instant now{}; now < Instant{} + std::chrono::minutes(10); now += std::chrono::milliseconds(100))
    asked += asks.on_timer(now).size();
  EXPECT_GT(asked, 30u);
  EXPECT_LT(asked, 80u);
  asks.forget(root(1).public_key());
  EXPECT_TRUE(asks.want(root(3).public_key(), kWhere, {}));
}

TEST(Book, KnowsByNodeAddressAndTunnelKey) {
  AddressBook book;
  const auto key = root(1);
  const auto first = record_of(key, 1, 9, {Bytes{1}}), second = record_of(key, 2, 8, {Bytes{2}});
  EXPECT_EQ(book.add(first.encoded, kNow).value(), AddressBook::Added::kNew);
  EXPECT_EQ(book.add(first.encoded, kNow).value(), AddressBook::Added::kSame);
  ASSERT_NE(book.owner_of(container_address(key.public_key(), Bytes{1})), nullptr);
  EXPECT_EQ(book.add(second.encoded, kNow).value(), AddressBook::Added::kNewer);
  EXPECT_EQ(book.add(first.encoded, kNow).value(), AddressBook::Added::kSame) << "an older one does not come back";
  EXPECT_EQ(book.owner_of(container_address(key.public_key(), Bytes{1})), nullptr);
  EXPECT_NE(book.owner_of(container_address(key.public_key(), Bytes{2})), nullptr);
  EXPECT_NE(book.owner_of(second.record.address()), nullptr);
  EXPECT_FALSE(book.add(Bytes{1, 2, 3}, kNow));
}

TEST(Book, ATunnelKeyIsWhoseItsHolderHasShown) {
  AddressBook book;
  const auto honest = record_of(root(1), 1, 9), liar = record_of(root(2), 1, 9);  // both name the same key
  ASSERT_EQ(honest.record.tunnel.key, liar.record.tunnel.key);
  ASSERT_TRUE(book.add(liar.encoded, kNow));
  EXPECT_EQ(book.by_tunnel(liar.record.tunnel.key), nullptr) << "anybody can say so";
  ASSERT_TRUE(book.add(honest.encoded, kNow));
  EXPECT_TRUE(book.shown_by_key(honest.record.id()));
  EXPECT_FALSE(book.shown_by_key(honest.record.id())) << "not for the first time";
  ASSERT_NE(book.by_tunnel(honest.record.tunnel.key), nullptr);
  EXPECT_EQ(book.by_tunnel(honest.record.tunnel.key)->record.id(), honest.record.id());
  ASSERT_TRUE(book.add(record_of(root(2), 2, 9).encoded, kNow));
  EXPECT_EQ(book.by_tunnel(honest.record.tunnel.key)->record.id(), honest.record.id()) << "a newer lie changes nothing";
  ASSERT_TRUE(book.add(record_of(root(1), 2, 9).encoded, kNow));
  EXPECT_EQ(book.by_tunnel(honest.record.tunnel.key)->record.sequence, 2u) << "the same key in a newer record";
  ASSERT_TRUE(book.add(record_of(root(1), 3, 8).encoded, kNow));
  EXPECT_EQ(book.by_tunnel(honest.record.tunnel.key), nullptr) << "another key has to be shown anew";
}

TEST(Book, ForgetsWhoWasUsedLeastButNeverThePinned) {
  AddressBook book(3);
  for (std::uint8_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(book.add(record_of(root(i), 1, i).encoded, kNow));
    if (i == 1) book.pin(crypto::node_id(root(1).public_key()), true);
  }
  ASSERT_NE(book.find(crypto::node_id(root(2).public_key())), nullptr);
  ASSERT_TRUE(book.add(record_of(root(4), 1, 4).encoded, kNow));
  EXPECT_EQ(book.size(), 3u);
  EXPECT_NE(book.find(crypto::node_id(root(1).public_key())), nullptr);
  EXPECT_NE(book.find(crypto::node_id(root(2).public_key())), nullptr);
  EXPECT_EQ(book.find(crypto::node_id(root(3).public_key())), nullptr);
}

}  // namespace
}  // namespace bonus::net::overlay
