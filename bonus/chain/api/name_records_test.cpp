// Records of a name: one form, bounds, rules between records, text.
#include "bonus/chain/api/name_records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bonus::chain::names {
namespace {

using ::testing::HasSubstr;

Record aaaa(const std::string& name, std::string_view address, std::uint32_t ttl = 300) {
  return {.name = name, .ttl_s = ttl, .data = Aaaa{net::parse_ip(address).value()}};
}
Record txt(const std::string& name, std::string_view text, std::uint32_t ttl = 60) {
  return {.name = name, .ttl_s = ttl, .data = Txt{{as_bytes(text).begin(), as_bytes(text).end()}}};
}
Record alias(const std::string& name, const std::string& target) {
  return {.name = name, .ttl_s = 60, .data = Alias{target}};
}
Record srv(const std::string& name, std::uint16_t port, const std::string& target) {
  return {.name = name, .ttl_s = 60, .data = Srv{1, 2, port, target}};
}
std::string problem(NameRecords records) {
  const auto out = encode_records(std::move(records));
  return out ? std::string() : out.error().message;
}

TEST(NameRecords, ExampleOfTheFormatsPage) {
  const Bytes encoded = encode_records({aaaa("", "fd00::1")}).value();
  EXPECT_EQ(to_hex(encoded), "0101010000012c0010fd000000000000000000000000000001");
  EXPECT_EQ(decode_records(encoded).value(), NameRecords{aaaa("", "fd00::1")});
}

TEST(NameRecords, RoundTripInOneOrder) {
  Ed25519PublicKey key;
  key.bytes.fill(7);
  const NameRecords records{txt("www", "b"),
                            srv("_http._tcp", 80, "web.alice.bonus"),
                            txt("www", "a"),
                            aaaa("", "2001:db9::1"),
                            {.name = "home", .ttl_s = 0, .data = NodeKey{key}},
                            aaaa("", "fd00::1"),
                            alias("blog", "lease-42.bonus")};
  const Bytes encoded = encode_records(records).value();
  const NameRecords back = decode_records(encoded).value();
  ASSERT_EQ(back.size(), records.size());
  EXPECT_EQ(back.front().name, "");
  EXPECT_EQ(value_text(back[0]), "2001:db9::1");
  EXPECT_EQ(value_text(back[5]), "\"a\"");
  NameRecords other = records;
  std::ranges::reverse(other);
  EXPECT_EQ(encode_records(other).value(), encoded);
  EXPECT_EQ(encode_records({}).value(), Bytes{});
  EXPECT_TRUE(decode_records({}).value().empty());
}

TEST(NameRecords, EveryCutAndEveryStrayByteIsRefused) {
  const Bytes encoded =
      encode_records({aaaa("", "fd00::1"), srv("_ssh._tcp", 22, "alice.bonus"), txt("", "x")}).value();
  for (std::size_t length = 1; length < encoded.size(); ++length)
    EXPECT_FALSE(decode_records(BytesView(encoded).first(length)).has_value()) << length;
  Bytes longer = encoded;
  longer.push_back(0);
  EXPECT_FALSE(decode_records(longer).has_value());
  // A changed byte is another list or none, never the same one.
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    Bytes changed = encoded;
    changed[i] ^= 1;
    const auto out = decode_records(changed);
    if (out) {
      EXPECT_EQ(encode_records(*out).value(), changed);
    }
  }
  EXPECT_FALSE(decode_records(Bytes{2, 0}).has_value());
  EXPECT_FALSE(decode_records(Bytes{1, 0}).has_value());  // no records have the empty form
  EXPECT_FALSE(decode_records(Bytes(2000, 1)).has_value());
}

TEST(NameRecords, Bounds) {
  EXPECT_THAT(problem(NameRecords(33, txt("", "x"))), HasSubstr("at most 32 records"));
  NameRecords large;
  for (int i = 0; i < 4; ++i) large.push_back(txt("", std::string(255, static_cast<char>('a' + i))));
  EXPECT_THAT(problem(large), HasSubstr("at most 1024 bytes"));
  large.pop_back();
  EXPECT_EQ(problem(large), "");
  EXPECT_THAT(problem({txt("", "")}), HasSubstr("1 to 255"));
  EXPECT_THAT(problem({txt("", std::string(256, 'a'))}), HasSubstr("1 to 255"));
  EXPECT_THAT(problem({txt("", "x", 604'801)}), HasSubstr("TTL"));
  EXPECT_EQ(problem({txt("", "x", 604'800)}), "");
  EXPECT_THAT(problem({srv("", 0, "alice.bonus")}), HasSubstr("port"));
  EXPECT_THAT(problem({{.name = "", .ttl_s = 1, .data = NodeKey{}}}), HasSubstr("NODEKEY"));
  for (const char* name : {".", "a.", ".a", "-a", "a-", "A", "a..b", "a b", "\xc3\xa9"})
    EXPECT_THAT(problem({txt(name, "x")}), HasSubstr("name of a record")) << name;
  EXPECT_NE(problem({txt(std::string(64, 'a'), "x")}), "");
  EXPECT_NE(problem({txt(std::string(50, 'a') + "." + std::string(50, 'b'), "x")}), "");
  for (const char* target :
       {"", "bonus", ".bonus", "alice", "alice.bonus.", "Alice.bonus", "alice.example", "a b.bonus"})
    EXPECT_THAT(problem({alias("", target)}), HasSubstr("target")) << target;
  for (const char* address : {"::1", "fe80::1", "ff02::1", "10.0.0.1", "::"})
    EXPECT_THAT(problem({aaaa("", address)}), HasSubstr("AAAA")) << address;
}

TEST(NameRecords, RulesBetweenRecords) {
  EXPECT_THAT(problem({txt("", "a"), txt("", "a")}), HasSubstr("twice"));
  EXPECT_THAT(problem({txt("", "a", 1), txt("", "a", 2)}), HasSubstr("twice"));
  EXPECT_THAT(problem({txt("", "a", 1), txt("", "b", 2)}), HasSubstr("one TTL"));
  EXPECT_EQ(problem({txt("", "a", 1), txt("www", "b", 2)}), "");
  Ed25519PublicKey key;
  key.bytes[0] = 1;
  const Record node{.name = "", .ttl_s = 1, .data = NodeKey{key}};
  for (const Record& other : {aaaa("", "fd00::1"), alias("", "bob.bonus"), node})
    EXPECT_THAT(problem({alias("", "lease-1.bonus"), other}), HasSubstr("ALIAS"));
  EXPECT_EQ(problem({alias("", "lease-1.bonus"), txt("", "a"), srv("", 1, "a.bonus"), aaaa("www", "fd00::1")}), "");
}

TEST(NameRecords, TextOfPeople) {
  const auto parse = [](RecordType type, std::vector<std::string> words) {
    return parse_record("WWW", type, 5, words);
  };
  EXPECT_EQ(parse(RecordType::kAaaa, {"FD00::0:1"}).value(), aaaa("www", "fd00::1", 5));
  EXPECT_EQ(value_text(parse(RecordType::kTxt, {"two", "words"}).value()), "\"two words\"");
  EXPECT_EQ(value_text(txt("", "a\"b\\c\n\xff")), "\"a\\\"b\\\\c\\010\\255\"");
  EXPECT_EQ(value_text(parse(RecordType::kSrv, {"0", "5", "80", "Web.Alice.Bonus."}).value()),
            "0 5 80 web.alice.bonus");
  EXPECT_EQ(value_text(parse(RecordType::kAlias, {"lease-42.bonus"}).value()), "lease-42.bonus");
  const std::string key(64, '7');
  EXPECT_EQ(value_text(parse(RecordType::kNodeKey, {"0x" + key}).value()), key);
  EXPECT_FALSE(parse(RecordType::kAaaa, {"10.0.0.1"}).has_value());
  EXPECT_FALSE(parse(RecordType::kAaaa, {"fd00::1", "fd00::2"}).has_value());
  EXPECT_FALSE(parse(RecordType::kSrv, {"0", "5", "80"}).has_value());
  EXPECT_FALSE(parse(RecordType::kSrv, {"0", "5", "65536", "a.bonus"}).has_value());
  EXPECT_FALSE(parse(RecordType::kNodeKey, {"12"}).has_value());
  EXPECT_EQ(parse_record_type("nodekey").value(), RecordType::kNodeKey);
  EXPECT_THAT(parse_record_type("A").error().message, HasSubstr("AAAA"));
}

}  // namespace
}  // namespace bonus::chain::names
