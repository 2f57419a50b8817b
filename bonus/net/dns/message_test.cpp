// Messages byte by byte, hostile ones included.
#include "bonus/net/dns/message.hpp"

#include <gtest/gtest.h>

#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/net/dns/plain_upstream.hpp"
#include "bonus/net/dns/rebinding.hpp"

namespace bonus::net::dns {
namespace {

using testing::ip;
using testing::name;

Bytes hex(std::string_view text) { return from_hex(text).value(); }

// id 1234, rd, one question: alice.bonus AAAA IN
constexpr std::string_view kQuery = "12340100000100000000000005616c69636505626f6e757300001c0001";

TEST(MessageTest, GoldenQuery) {
  EXPECT_EQ(to_hex(testing::query("alice.bonus", type::kAaaa)), kQuery);
  const Message message = parse_message(hex(kQuery)).value();
  EXPECT_EQ(message.header.id, 0x1234);
  EXPECT_TRUE(message.header.rd && !message.header.qr);
  ASSERT_EQ(message.questions.size(), 1u);
  EXPECT_EQ(message.questions[0].name, name("alice.bonus"));
  EXPECT_EQ(message.questions[0].type, type::kAaaa);
  EXPECT_FALSE(message.edns);
}

TEST(MessageTest, GoldenAnswerIsCompressedAndEndsWithOpt) {
  Message message = parse_message(hex(kQuery)).value();
  message.header.qr = message.header.aa = true;
  const Ipv6 address = ip("fd00::1");
  message.answers.push_back(
      {name("ALICE.bonus"), type::kAaaa, kClassIn, 120, {address.bytes.begin(), address.bytes.end()}});
  message.edns = Edns{.udp_size = 1232, .version = 0, .dnssec_ok = true, .options = hex("000f0002000f")};
  EXPECT_EQ(to_hex(encode_message(message).value()),
            "12348500000100010000000105616c69636505626f6e757300001c0001"
            "c00c001c000100000078"
            "0010fd000000000000000000000000000001"
            "00002904d0000080000006000f0002000f");
}

TEST(MessageTest, EdnsIsRead) {
  const Message message = parse_message(hex("12340100000100000000000105616c69636505626f6e757300001c0001"
                                            "0000291000000080000000"))
                              .value();
  ASSERT_TRUE(message.edns);
  EXPECT_EQ(message.edns->udp_size, 4096);
  EXPECT_TRUE(message.edns->dnssec_ok);
  EXPECT_TRUE(message.additional.empty());
  // Size zero is still EDNS.
  EXPECT_TRUE(parse_message(hex("12340100000100000000000105616c69636505626f6e757300001c00010000290000000000000000"))
                  .value()
                  .edns);
  EXPECT_FALSE(
      parse_message(hex("12340100000100000000000205616c69636505626f6e757300001c0001"
                        "00002910000000000000000000291000000080000000")));
}

TEST(MessageTest, HostileMessagesAreRefused) {
  const std::string_view bad[] = {
      "",
      "1234",
      "123401000001000000000000",                                              // a question is announced, none there
      "123401000001000000000000c00c001c0001",                                  // a pointer to itself
      "12340100000100000000000001 61c00c001c0001",                             // through its own label
      "12340100000100000000000005616c6963",                                    // cut in a label
      "12340100000100000000000005616c69636505626f6e7573001c",                  // no end
      "12340100000100000000000040616c69636500001c0001",                        // label type 01
      "123481000001000100000000016100001c0001c00c001c0001000000780011",        // rdata cut
      "123481000001000100000000016100001c0001c00c001c0001000000780003010203",  // three bytes of AAAA
      "123481000001000100000000016100000c0001c00c000c0001000000780002c01e",    // PTR into itself
      "12348100ffffffffffffffff",
  };
  for (const std::string_view text : bad) {
    std::string clean(text);
    std::erase(clean, ' ');
    EXPECT_FALSE(parse_message(hex(clean))) << text;
  }
}

TEST(MessageTest, PointerChainsAreBounded) {
  // Each record's owner points to the one before: refused or read, but within a moment.
  Bytes wire = hex("123481000000ffff00000000");
  for (std::size_t at = 12; wire.size() < 60000; at = wire.size() - 12) {
    wire.push_back(static_cast<std::uint8_t>(0xc0 | (at >> 8 & 0x3f)));
    wire.push_back(static_cast<std::uint8_t>(at));
    append(wire, hex("00010001000000010000"));
  }
  EXPECT_FALSE(parse_message(wire));
}

TEST(MessageTest, TruncatesByStages) {
  Message message = parse_message(hex(kQuery)).value();
  message.header.qr = true;
  message.edns = Edns{.udp_size = 1232, .version = 0, .dnssec_ok = false, .options = {}};
  for (int i = 0; i < 3; ++i)
    message.answers.push_back({name("alice.bonus"), type::kTxt, kClassIn, 1, text_rdata(std::string(100, 'x'))});
  message.additional.push_back({name("alice.bonus"), type::kTxt, kClassIn, 1, text_rdata(std::string(200, 'y'))});
  const Message full = parse_message(encode_message(message).value()).value();
  EXPECT_EQ(full.additional.size(), 1u);
  const Message lean = parse_message(encode_message(message, 512).value()).value();
  EXPECT_TRUE(lean.additional.empty() && !lean.header.tc);
  EXPECT_EQ(lean.answers.size(), 3u);
  const Message cut = parse_message(encode_message(message, 300).value()).value();
  EXPECT_TRUE(cut.answers.empty() && cut.header.tc && cut.edns);
  EXPECT_FALSE(encode_message(message, 20));
}

TEST(MessageTest, UnknownTypesPassThrough) {  // RFC 3597
  Message message;
  message.header.qr = true;
  message.answers.push_back({name("a.b"), 65280, kClassIn, 9, {1, 2, 3}});
  const Message back = parse_message(encode_message(message).value()).value();
  ASSERT_EQ(back.answers.size(), 1u);
  EXPECT_EQ(back.answers[0].rdata, (Bytes{1, 2, 3}));
}

TEST(MessageTest, NamesInRecordsAreUncompressed) {
  // a.b CNAME c.b, with the pointer to "b"
  const Message message = parse_message(hex("000081000001000100000000"
                                            "0161016200"
                                            "00050001"
                                            "c00c000500010000003c0004"
                                            "0163c00e"))
                              .value();
  ASSERT_EQ(message.answers.size(), 1u);
  EXPECT_EQ(message.answers[0].rdata, hex("0163016200"));
}

TEST(MessageTest, LongTextsAreSplit) {
  const Bytes rdata = text_rdata(std::string(300, 'x'));
  ASSERT_EQ(rdata.size(), 302u);
  EXPECT_EQ(rdata[0], 255);
  EXPECT_EQ(rdata[256], 45);
  EXPECT_EQ(text_rdata(""), Bytes{0});
}

TEST(RebindingTest, FindsOverlayAddresses) {
  const auto with = [](std::uint16_t record_type, Bytes rdata) {
    Message message;
    message.additional.push_back({name("x.test"), record_type, kClassIn, 1, std::move(rdata)});
    return names_overlay(message);
  };
  const Ipv6 inside = ip("fd12:3456::1"), outside = ip("2001:db8::1");
  EXPECT_TRUE(with(type::kAaaa, {inside.bytes.begin(), inside.bytes.end()}));
  EXPECT_FALSE(with(type::kAaaa, {outside.bytes.begin(), outside.bytes.end()}));
  // SVCB: priority 1, target ".", alpn h2, ipv6hint of one address
  Bytes service =
      hex("000100"
          "00010003026832"
          "00060010");
  Bytes hinted = service;
  append(hinted, inside);
  EXPECT_TRUE(with(type::kHttps, hinted));
  Bytes harmless = service;
  append(harmless, outside);
  EXPECT_FALSE(with(type::kHttps, harmless));
  EXPECT_TRUE(with(type::kHttps, service)) << "cut: not to be trusted";
}

TEST(ResolvConfTest, ReadsServersAsTheLibraryDoes) {
  const auto servers = parse_resolv_conf(
      "# comment\nsearch home\nnameserver 192.0.2.1\r\n\tnameserver\t2001:db8::1 trailing\nnameserver fe80::1%eth0\n"
      "nameserver nonsense\nnameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
      {ip("127.0.0.1")});
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(to_string(servers[0]), "192.0.2.1:53");
  EXPECT_EQ(to_string(servers[1]), "[2001:db8::1]:53");
  EXPECT_EQ(to_string(servers[2]), "192.0.2.3:53");
  EXPECT_TRUE(parse_resolv_conf("").empty());
}

}  // namespace
}  // namespace bonus::net::dns
