// Golden bytes and limits of path and relay messages (docs/formats/net_path.md).
#include <gtest/gtest.h>

#include "bonus/net/nat/path_message.hpp"
#include "bonus/net/nat/relay_message.hpp"

namespace bonus::net::nat {
namespace {

template <class Key>
Key filled(std::uint8_t byte) {
  Key out;
  out.bytes.fill(byte);
  return out;
}
const UdpEndpoint kSeen = parse_endpoint("192.0.2.1:51820").value();
constexpr const char* kSeenHex = "00000000000000000000ffffc0000201ca6c";

std::string repeat(const char* text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Messages, GoldenPathBytes) {
  EXPECT_EQ(to_hex(encode(Probe{true, true, 0x1122, 5, {}, 0})),
            "010106"
            "0000000000001122"
            "0000000000000005" +
                repeat("00", 21));
  EXPECT_EQ(to_hex(encode(Probe{false, false, 1, 2, Bytes{7, 8}, 0})),
            "010101"
            "0000000000000001"
            "0000000000000002"
            "00020708" +
                repeat("00", 17));
  EXPECT_EQ(to_hex(encode(Ack{true, 1, 2, kSeen, 40, Bytes{9}})), std::string("010209"
                                                                              "0000000000000001"
                                                                              "0000000000000002") +
                                                                      kSeenHex +
                                                                      "0028"
                                                                      "000109");
  EXPECT_EQ(to_hex(encode(Confirm{true, true, 3, kSeen})), std::string("01030c"
                                                                       "0000000000000003") +
                                                               kSeenHex);
  const auto key = filled<crypto::X25519Public>(0xab);
  EXPECT_EQ(to_hex(BytesView(encode(Rendezvous{true, key, 4, NatKind::kCone, {kSeen}})).first(63)),
            "010410" + repeat("ab", 32) +
                "0000000000000004"
                "02"
                "01" +
                kSeenHex);
  EXPECT_EQ(encode(Rendezvous{}).size(), kMaxPathPayload);
  EXPECT_EQ(to_hex(encode(Introduce{false, key, 4, NatKind::kSymmetric, kSeen, {}})), "010500" + repeat("ab", 32) +
                                                                                          "0000000000000004"
                                                                                          "03" +
                                                                                          kSeenHex + "00");
  EXPECT_EQ(to_hex(encode(Unknown{key, 5})), "010600" + repeat("ab", 32) + "0000000000000005");
  EXPECT_EQ(to_hex(encode(Spray{true, 6})),
            "010720"
            "0000000000000006");
}

TEST(Messages, GoldenRelayBytes) {
  const auto key = filled<crypto::X25519Public>(0xab);
  const auto signature = filled<Ed25519Signature>(0xcd);
  EXPECT_EQ(to_hex(encode(Register{1, 2, Bytes{5}})),
            "0101"
            "0000000000000001"
            "0000000000000002"
            "000105");
  EXPECT_EQ(to_hex(encode(Challenge{1, 2})),
            "0102"
            "0000000000000001"
            "0000000000000002");
  EXPECT_EQ(to_hex(encode(Registered{1, kSeen, 90})), std::string("0103"
                                                                  "0000000000000001") +
                                                          kSeenHex + "005a");
  EXPECT_EQ(to_hex(encode(Refused{1, RelayRefusal::kNoPeer})),
            "0104"
            "0000000000000001"
            "03");
  EXPECT_EQ(to_hex(encode(Keep{1})),
            "0105"
            "0000000000000001" +
                repeat("00", 20));
  EXPECT_EQ(to_hex(encode(Open{key, 1, 2, signature})), "0106" + repeat("ab", 32) +
                                                            "0000000000000001"
                                                            "0000000000000002" +
                                                            repeat("cd", 64));
  EXPECT_EQ(to_hex(encode(Offer{1, 2, signature, Bytes{6}})),
            "0107"
            "0000000000000001"
            "0000000000000002" +
                repeat("cd", 64) + "000106");
  EXPECT_EQ(to_hex(encode(Accept{key, 1, true, signature})), "0108" + repeat("ab", 32) +
                                                                 "0000000000000001"
                                                                 "01" +
                                                                 repeat("cd", 64));
  EXPECT_EQ(to_hex(encode(Opened{key, 1, 2, 3})), "0109" + repeat("ab", 32) +
                                                      "0000000000000001"
                                                      "0000000000000002"
                                                      "0000000000000003");
  EXPECT_EQ(to_hex(encode(Close{4})),
            "010a"
            "0000000000000004");
}

TEST(Messages, AnswersAreNeverLargerThanQuestions) {
  EXPECT_LE(encode(Ack{}).size(), encode(Probe{}).size());
  EXPECT_LE(encode(Confirm{}).size(), encode(Ack{}).size());
  EXPECT_LE(encode(Registered{}).size(), encode(Keep{}).size());
  EXPECT_LE(encode(Challenge{}).size(), encode(Keep{}).size());
  EXPECT_LE(encode(Refused{}).size(), encode(Keep{}).size());
  EXPECT_LE(encode(Challenge{}).size(), encode(Register{}).size());
  Introduce largest;
  largest.endpoints.resize(kMaxIntroduced);
  EXPECT_LE(encode(largest).size(), encode(Rendezvous{}).size());
  EXPECT_LE(encode(Unknown{}).size(), encode(Rendezvous{}).size());
}

TEST(Messages, EverythingFitsTheSmallestPath) {
  const Bytes record(kMaxRecordBytes, 1);
  EXPECT_LE(encode(Probe{true, true, 1, 2, record, 0}).size(), kMaxPathPayload);
  EXPECT_LE(encode(Ack{true, 1, 2, kSeen, 3, record}).size(), kMaxPathPayload);
  EXPECT_LE(encode(Register{1, 2, record}).size(), kMaxPathPayload);
  EXPECT_LE(encode(Offer{1, 2, {}, record}).size(), kMaxPathPayload);
}

TEST(Messages, TruncatedAndOversizedFieldsAreRefused) {
  const Bytes record(kMaxRecordBytes, 1);
  const std::vector<Bytes> path = {encode(Ack{false, 1, 2, kSeen, 3, record}), encode(Confirm{}),
                                   encode(Introduce{false, {}, 1, NatKind::kCone, kSeen, {kSeen, kSeen}}),
                                   encode(Unknown{}), encode(Spray{})};
  for (const Bytes& message : path) {
    ASSERT_TRUE(decode_path(message));
    for (std::size_t size = 0; size < message.size(); ++size)
      EXPECT_FALSE(decode_path(BytesView(message).first(size))) << static_cast<int>(message[1]) << " " << size;
  }
  const std::vector<Bytes> relay = {encode(Register{1, 2, record}),
                                    encode(Challenge{}),
                                    encode(Registered{}),
                                    encode(Refused{}),
                                    encode(Keep{}),
                                    encode(Open{}),
                                    encode(Offer{1, 2, {}, record}),
                                    encode(Accept{}),
                                    encode(Opened{}),
                                    encode(Close{})};
  for (const Bytes& message : relay) {
    ASSERT_TRUE(decode_relay(message));
    for (std::size_t size = 0; size < message.size(); ++size)
      EXPECT_FALSE(decode_relay(BytesView(message).first(size))) << static_cast<int>(message[1]) << " " << size;
  }
  Bytes version = encode(Spray{});
  version[0] = 2;
  EXPECT_EQ(decode_path(version).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_path(Bytes{1, 99, 0}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_relay(Bytes{2, 1}).error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(decode_path(encode(Ack{false, 1, 2, kSeen, 3, Bytes(kMaxRecordBytes + 1, 1)})));
  Bytes many = encode(Introduce{});
  many.back() = kMaxIntroduced + 1;
  many.resize(many.size() + 18 * (kMaxIntroduced + 1));
  EXPECT_FALSE(decode_path(many));
  EXPECT_FALSE(decode_path(BytesView(encode(Rendezvous{})).first(kMaxPathPayload - 1)));  // not padded
  EXPECT_FALSE(decode_path(BytesView(encode(Probe{})).first(kMinProbePayload - 1)));
}

}  // namespace
}  // namespace bonus::net::nat
