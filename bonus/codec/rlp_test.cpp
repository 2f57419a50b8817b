// RLP: cases of the Yellow Paper, refusal of every non-canonical form, and Ethereum's own test files where they are.
#include "bonus/codec/rlp.hpp"
#include "tests/support/vectors.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace bonus::rlp {
namespace {

namespace json = boost::json;

Bytes raw(std::string_view text) { return from_hex(text).value(); }

TEST(RlpEncoder, SmallCases) {
  EXPECT_EQ(to_hex(Encoder().text("dog").take()), "83646f67");
  EXPECT_EQ(to_hex(Encoder().text("").take()), "80");
  EXPECT_EQ(to_hex(Encoder().number(std::uint64_t{0}).take()), "80");
  EXPECT_EQ(to_hex(Encoder().number(15U).take()), "0f");
  EXPECT_EQ(to_hex(Encoder().number(127U).take()), "7f");
  EXPECT_EQ(to_hex(Encoder().number(128U).take()), "8180");
  EXPECT_EQ(to_hex(Encoder().number(1024U).take()), "820400");
  EXPECT_EQ(to_hex(Encoder().bytes(Bytes{0}).take()), "00");
  EXPECT_EQ(to_hex(Encoder().begin_list().text("cat").text("dog").end_list().take()), "c88363617483646f67");
  EXPECT_EQ(to_hex(Encoder().begin_list().end_list().take()), "c0");
  // The set-theoretic three.
  Encoder three;
  three.begin_list().begin_list().end_list();
  three.begin_list().begin_list().end_list().end_list();
  three.begin_list().begin_list().end_list().begin_list().begin_list().end_list().end_list().end_list().end_list();
  EXPECT_EQ(to_hex(three.take()), "c7c0c1c0c3c0c1c0");
  const std::string lorem = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
  EXPECT_EQ(to_hex(Encoder().text(lorem).take()), "b838" + to_hex(as_bytes(lorem)));
}

TEST(RlpEncoder, LengthsAtTheBorders) {
  for (const std::size_t size : {0U, 1U, 54U, 55U, 56U, 57U, 255U, 256U, 65535U, 65536U}) {
    const Bytes payload(size, 0xee);
    const Bytes text = Encoder().bytes(payload).take();
    Decoder decoder(text);
    const auto back = decoder.bytes();
    ASSERT_TRUE(back) << size;
    EXPECT_TRUE(std::ranges::equal(*back, payload));
    EXPECT_TRUE(decoder.expect_end());

    const Bytes list = Encoder().begin_list().raw(payload).end_list().take();
    EXPECT_EQ(list.size() - size, size <= 55 ? 1U : size < 256 ? 2U : size < 65536 ? 3U : 4U);
    Decoder outer(list);
    EXPECT_TRUE(outer.list());
    EXPECT_TRUE(outer.at_end());
  }
}

TEST(RlpDecoder, ReadsInOrderAndKeepsItsPlaceOnFailure) {
  const Bytes encoded = Encoder().begin_list().number(7U).text("abc").begin_list().end_list().end_list().take();
  Decoder outer(encoded);
  EXPECT_TRUE(outer.next_is_list());
  EXPECT_FALSE(outer.bytes());
  EXPECT_FALSE(outer.number());
  auto list = outer.list();
  ASSERT_TRUE(list);
  EXPECT_TRUE(outer.at_end());
  EXPECT_FALSE(list->list());
  EXPECT_EQ(list->number().value(), 7U);
  EXPECT_FALSE(list->fixed<Address>());
  EXPECT_FALSE(list->expect_end());
  EXPECT_EQ(as_text(list->bytes().value()), "abc");
  EXPECT_EQ(to_hex(list->raw_item().value()), "c0");
  EXPECT_TRUE(list->expect_end());
  EXPECT_FALSE(list->bytes());
}

TEST(RlpDecoder, NumbersHaveOneForm) {
  const auto number = [](std::string_view text) {
    const Bytes in = raw(text);
    return Decoder(in).number();
  };
  EXPECT_EQ(number("80").value(), 0U);
  EXPECT_EQ(number("88ffffffffffffffff").value(), UINT64_MAX);
  for (const char* text : {"00", "820001", "89010000000000000000", "8100", "c0"}) EXPECT_FALSE(number(text)) << text;
  const Bytes most = raw("a0" + std::string(64, 'f'));
  EXPECT_EQ(Decoder(most).number256().value(), ~uint256());
  const Bytes above = raw("a1" + std::string(66, 'f'));
  EXPECT_FALSE(Decoder(above).number256());
}

TEST(RlpDecoder, RefusesWhatIsNotCanonical) {
  for (const char* text : {"",
                           "8100",
                           "817f",
                           "81",
                           "83646f",
                           "b7",
                           "b800",
                           "b80100",
                           "b837",
                           "b90038",
                           "b8",
                           "b9ff",
                           "bf",
                           "bfffffffffffffffff",
                           "f800",
                           "f837",
                           "f90038",
                           "c1",
                           "c3c0c1",
                           "ffffffffffffffffff00",
                           "bf0f000000000000021111",
                           "f80180"}) {
    const Bytes in = raw(text);
    Decoder decoder(in);
    EXPECT_EQ(decoder.raw_item().error().code, ErrorCode::kInvalid) << text;
  }
}

// ------------------------------------------------------------ ethereum-tests

/// Items of any depth, with the bound that a caller without a schema needs.
Result<> walk(Decoder& in, unsigned depth, std::size_t& items) {
  if (depth > 1024) return fail(ErrorCode::kInvalid, "too deep");
  while (!in.at_end()) {
    ++items;
    if (!in.next_is_list()) {
      TRY(in.bytes());
      continue;
    }
    TRY_ASSIGN(Decoder inner, in.list());
    TRY(walk(inner, depth + 1, items));
  }
  return {};
}

Result<> check_whole(BytesView in) {
  Decoder first(in);
  TRY(first.raw_item());
  TRY(first.expect_end());
  Decoder all(in);
  std::size_t items = 0;
  return walk(all, 0, items);
}

void encode_json(Encoder& out, const json::value& in) {
  if (in.is_array()) {
    out.begin_list();
    for (const auto& item : in.get_array()) encode_json(out, item);
    out.end_list();
  } else if (in.is_string()) {
    const std::string_view text(in.get_string().data(), in.get_string().size());
    if (text.starts_with('#')) {
      // Some are wider than 256 bits, so that the encoder's own numbers cannot carry them.
      Bytes big_endian;
      export_bits(boost::multiprecision::cpp_int(std::string(text.substr(1))), std::back_inserter(big_endian), 8);
      out.bytes(big_endian);
    } else {
      out.text(text);
    }
  } else {
    out.number(in.to_number<std::uint64_t>());
  }
}

class EthereumTests : public ::testing::Test {
 protected:
  static json::object load(std::string_view name) {
    std::ifstream file(std::filesystem::path(kFolder) / name);
    std::ostringstream text;
    text << file.rdbuf();
    return json::parse(text.str()).as_object();
  }
  static constexpr const char* kFolder = "../shared/vectors/ethereum-tests/RLPTests";
  static constexpr int kVectors = 55;
};

TEST_F(EthereumTests, RlpFiles) {
  BONUS_NEED_VECTORS(kFolder, kVectors);
  int used = 0;
  for (const auto& [name, test] : load("rlptest.json")) {
    const auto& object = test.as_object();
    Encoder encoder;
    encode_json(encoder, object.at("in"));
    const Bytes expected = raw(std::string_view(object.at("out").as_string()));
    EXPECT_EQ(to_hex(encoder.take()), to_hex(expected)) << name;
    EXPECT_TRUE(check_whole(expected)) << name;
    ++used;
  }
  for (const auto& [name, test] : load("invalidRLPTest.json")) {
    const Bytes in = raw(std::string_view(test.as_object().at("out").as_string()));
    EXPECT_FALSE(check_whole(in)) << name;
    ++used;
  }
  for (const auto& [name, test] : load("RandomRLPTests/example.json")) {
    EXPECT_TRUE(check_whole(raw(std::string_view(test.as_object().at("out").as_string())))) << name;
    ++used;
  }
  EXPECT_EQ(used, kVectors);
}

TEST(Rlp, RandomBytesThatDecodeEncodeBackToThemselves) {
  std::mt19937_64 engine(11);
  int valid = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes in(1 + engine() % 12);
    for (auto& byte : in) byte = static_cast<std::uint8_t>(engine());
    if (engine() % 2 == 0) in[0] = static_cast<std::uint8_t>(0x80 + in.size() - 1);
    Decoder decoder(in);
    const auto item = decoder.bytes();
    if (!item) continue;
    const std::size_t consumed = Encoder().bytes(*item).take().size();
    EXPECT_EQ(Encoder().bytes(*item).take(), Bytes(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(consumed)));
    ++valid;
  }
  EXPECT_GT(valid, 5000);
}

}  // namespace
}  // namespace bonus::rlp
