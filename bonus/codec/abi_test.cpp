// Solidity ABI: the examples of the specification, round trips of random types, and strictness.
#include "bonus/codec/abi.hpp"

#include <gtest/gtest.h>

#include <random>

namespace bonus::abi {
namespace {

std::string words(std::initializer_list<std::string_view> list) {
  std::string out;
  for (const auto text : list) {
    // Short texts are right-aligned numbers, full ones stand for themselves.
    out += std::string(64 - text.size(), '0') + std::string(text);
  }
  return out;
}
std::string left(std::string_view text) {
  const std::string hex = to_hex(as_bytes(text));
  return hex + std::string(64 - hex.size(), '0');
}
std::string call(std::string_view signature, const Values& arguments) {
  return to_hex(Function::parse(signature).value().encode_call(arguments).value());
}
Values list(std::initializer_list<std::uint64_t> numbers) {
  Values out;
  for (const auto n : numbers) out.emplace_back(n);
  return out;
}
Bytes bytes_of(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

TEST(AbiEncode, ExamplesOfTheSpecification) {
  EXPECT_EQ(call("baz(uint32,bool)", {Value(69U), Value(true)}), "cdcd77c0" + words({"45", "1"}));
  EXPECT_EQ(call("bar(bytes3[2])", {Value(Values{bytes_of("abc"), bytes_of("def")})}),
            "fce353f6" + words({left("abc"), left("def")}));
  EXPECT_EQ(call("sam(bytes,bool,uint256[])", {bytes_of("dave"), true, list({1, 2, 3})}),
            "a5643bf2" + words({"60", "1", "a0", "4", left("dave"), "3", "1", "2", "3"}));
  EXPECT_EQ(call("f(uint256,uint32[],bytes10,bytes)",
                 {Value(0x123U), list({0x456, 0x789}), bytes_of("1234567890"), bytes_of("Hello, world!")}),
            "8be65246" + words({"123", "80", left("1234567890"), "e0", "2", "456", "789", "d", left("Hello, world!")}));
  EXPECT_EQ(call("g(uint256[][],string[])",
                 {Values{list({1, 2}), list({3})}, Values{Value("one"), Value("two"), Value("three")}}),
            "2289b18c" + words({"40", "140", "2",  "40", "a0", "2",         "1", "2",         "1", "3",
                                "3",  "60",  "a0", "e0", "3",  left("one"), "3", left("two"), "5", left("three")}));
}

TEST(AbiEncode, NegativeIntegersAndAddresses) {
  const auto type = Type::parse("(int16,address,address)").value();
  const Address address = fixed_from_hex<Address>("0x00000000000000000000000000000000000000aa").value();
  const uint256 minus_two = uint256() - uint256(2U);
  const auto encoded = encode(type, {minus_two, address, uint256(0xaaU)});
  ASSERT_TRUE(encoded);
  EXPECT_EQ(to_hex(*encoded), words({std::string(63, 'f') + "e", "aa", "aa"}));
  const auto decoded = decode(type, *encoded).value();
  EXPECT_EQ(decoded[0].number(), minus_two);
  EXPECT_EQ(decoded[1].address(), address);
  EXPECT_EQ(decoded[2].address(), address);
}

TEST(AbiEncode, RefusesValuesThatDoNotFit) {
  const auto refuse = [](std::string_view type, const Value& value) {
    const auto out = encode(Type::parse("(" + std::string(type) + ")").value(), {value});
    EXPECT_FALSE(out) << type;
    if (!out) EXPECT_EQ(out.error().code, ErrorCode::kInvalid);
  };
  refuse("uint8", Value(256U));
  refuse("int8", Value(128U));
  refuse("int8", Value(uint256() - uint256(129U)));
  refuse("bool", Value(2U));
  refuse("address", Value(uint256(1) << 160));
  refuse("address", Value(Bytes(19)));
  refuse("bytes4", Value(Bytes(5)));
  refuse("bytes4", Value("abcd"));
  refuse("bytes4", Value(1U));
  refuse("bytes", Value("text"));
  refuse("string", Value(Bytes(1)));
  refuse("uint8", Value(Bytes(1)));
  refuse("uint8[]", Value(1U));
  refuse("uint8[2]", Value(list({1})));
  refuse("(uint8,uint8)", Value(list({1, 2, 3})));
  EXPECT_FALSE(encode(Type::parse("(uint8)").value(), {}));
  EXPECT_FALSE(encode(Type::parse("uint8").value(), {Value(1U)}));
}

TEST(AbiType, CanonicalText) {
  const std::pair<const char*, const char*> cases[] = {
      {"uint", "uint256"},
      {"int[]", "int256[]"},
      {"(uint64,string)[]", "(uint64,string)[]"},
      {"uint8[3]", "uint8[3]"},
      {"bytes32[2][]", "bytes32[2][]"},
      {"()", "()"},
      {"bytes", "bytes"},
      {"bytes1", "bytes1"},
      {"((address,bool),int24)", "((address,bool),int24)"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(Type::parse(in).value().to_string(), out);
  EXPECT_TRUE(Type::parse("(uint8,(bytes)[2])").value().dynamic());
  EXPECT_FALSE(Type::parse("(uint8,bytes32[2])").value().dynamic());
}

TEST(AbiType, RefusesBadTextAndExcess) {
  std::string wide = "(";
  for (int i = 0; i < 64; ++i) wide += "bool,";
  wide += "bool)";
  const std::string deep = std::string(18, '(') + "bool" + std::string(18, ')');
  std::string nested = "bool";
  for (int i = 0; i < 18; ++i) nested += "[]";
  for (const std::string& text : {std::string(),
                                  std::string("uint7"),
                                  std::string("uint264"),
                                  std::string("uint0"),
                                  std::string("uint08"),
                                  std::string("bytes0"),
                                  std::string("bytes33"),
                                  std::string("float"),
                                  std::string("uint8[0]"),
                                  std::string("uint8[01]"),
                                  std::string("uint8[-1]"),
                                  std::string("uint8[99999999999]"),
                                  std::string("uint8["),
                                  std::string("uint8]"),
                                  std::string("(uint8"),
                                  std::string("(uint8,)"),
                                  std::string("(,uint8)"),
                                  std::string("uint8 "),
                                  std::string("()[]"),
                                  std::string("(())[]"),
                                  std::string("uint8[65536][2]"),
                                  wide,
                                  deep,
                                  nested,
                                  std::string(100'000, '(')}) {
    EXPECT_EQ(Type::parse(text).error().code, ErrorCode::kInvalid) << text.substr(0, 80);
  }
  EXPECT_FALSE(Function::parse("f"));
  EXPECT_FALSE(Function::parse("(uint8)"));
  EXPECT_FALSE(Function::parse("f(uint8)x"));
  EXPECT_FALSE(Function::parse("f(uint8)(bool)(bool)"));
}

TEST(AbiFunction, KnownSelectorsAndTopics) {
  EXPECT_EQ(to_hex(Function::parse("transfer(address,uint)").value().selector), "a9059cbb");
  EXPECT_EQ(to_hex(selector("balanceOf(address)")), "70a08231");
  EXPECT_EQ(to_hex(event_topic("Transfer(address,address,uint256)")),
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
  const auto function = Function::parse("market(uint256,(address,string))(uint64,bytes)").value();
  EXPECT_EQ(function.inputs.to_string(), "(uint256,(address,string))");
  EXPECT_EQ(function.outputs.to_string(), "(uint64,bytes)");
  EXPECT_FALSE(function.encode_call({Value(1U)}));
  EXPECT_TRUE(Function::parse("ping()").value().encode_call({}));
}

TEST(AbiRevert, RoundTrips) {
  const Bytes data = encode_revert("Not enough Ether provided.");
  EXPECT_EQ(to_hex(data), "08c379a0" + words({"20", "1a", left("Not enough Ether provided.")}));
  EXPECT_EQ(decode_revert(data), "Not enough Ether provided.");
  EXPECT_EQ(decode_revert(Bytes{}), "");
  EXPECT_EQ(decode_revert(BytesView(data).first(40)), "");
  EXPECT_EQ(decode_revert(Bytes(100)), "");
}

// ------------------------------------------------------------ strictness

Result<Values> decode_hex(std::string_view type, const std::string& hex, std::size_t most = 65536) {
  const Bytes data = from_hex(hex).value();
  return decode(Type::parse(type).value(), data, most);
}

TEST(AbiDecode, RefusesDirtyPaddingAndNumbersOutOfRange) {
  const std::string dirty = "01" + std::string(62, '0');
  EXPECT_TRUE(decode_hex("(uint8)", words({"ff"})));
  EXPECT_FALSE(decode_hex("(uint8)", words({"100"})));
  EXPECT_FALSE(decode_hex("(bool)", words({"2"})));
  EXPECT_FALSE(decode_hex("(address)", words({"10000000000000000000000000000000000000000"})));
  EXPECT_TRUE(decode_hex("(int8)", words({std::string(62, 'f') + "80"})));
  EXPECT_FALSE(decode_hex("(int8)", words({std::string(62, 'f') + "7f"})));
  EXPECT_FALSE(decode_hex("(int8)", words({"80"})));
  EXPECT_FALSE(decode_hex("(bytes4)", words({"6162636465" + std::string(54, '0')})));
  EXPECT_FALSE(decode_hex("(bytes4)", words({"61626364" + std::string(55, '0') + "1"})));
  EXPECT_TRUE(decode_hex("(bytes)", words({"20", "1", dirty})));
  EXPECT_FALSE(decode_hex("(bytes)", words({"20", "1", "01" + std::string(61, '0') + "1"})));
}

TEST(AbiDecode, RefusesBadOffsetsAndLengths) {
  EXPECT_TRUE(decode_hex("(string,string)", words({"40", "80", "1", left("a"), "1", left("b")})));
  // Both at the same tail, swapped, with a gap, into the head, unaligned, huge.
  EXPECT_FALSE(decode_hex("(string,string)", words({"40", "40", "1", left("a")})));
  EXPECT_FALSE(decode_hex("(string,string)", words({"80", "40", "1", left("a"), "1", left("b")})));
  EXPECT_FALSE(decode_hex("(string)", words({"40", "0", "1", left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({"0", "1", left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({"21", "1", left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({std::string(64, 'f'), "1", left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({"20", std::string(64, 'f'), left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({"20", "21", left("a")})));
  EXPECT_FALSE(decode_hex("(string)", words({"20", "ffffffffffffffe1", left("a")})));
  EXPECT_FALSE(decode_hex("(uint256[])", words({"20", "2", "1"})));
  EXPECT_FALSE(decode_hex("(uint256[])", words({"20", "800000000000000", "1"})));
  EXPECT_FALSE(decode_hex("(uint256)", words({"1", "2"}))) << "bytes behind the last value";
  EXPECT_FALSE(decode_hex("(uint256)", ""));
  EXPECT_FALSE(decode_hex("(string)", words({"20"})));
  EXPECT_TRUE(decode_hex("()", ""));
}

TEST(AbiDecode, BoundsTheNumberOfValues) {
  EXPECT_TRUE(decode_hex("(uint8[])", words({"20", "3", "1", "2", "3"}), 4));
  EXPECT_FALSE(decode_hex("(uint8[])", words({"20", "3", "1", "2", "3"}), 3));
  EXPECT_FALSE(decode_hex("(uint8[1000])", std::string(64'000, '0'), 1000));
  EXPECT_TRUE(decode_hex("(uint8[1000])", std::string(64'000, '0'), 1001));
}

TEST(AbiDecode, EveryTruncationIsRefused) {
  const auto type = Type::parse("(uint256,(address,string)[],bytes32[2],(bytes,(bool,string[])))").value();
  const Values values{
      Value(7U),
      Values{Values{Value(Address{}), Value("first")}, Values{Value(uint256(9)), Value(std::string(40, 'x'))}},
      Values{Value(Hash32{}), Value(Bytes(32, 1))},
      Values{Value(Bytes(33, 2)), Values{Value(true), Values{Value("s")}}}};
  const Bytes encoded = encode(type, values).value();
  const auto back = decode(type, encoded).value();
  EXPECT_EQ(back[1].items()[0].items()[1].text(), "first");
  EXPECT_EQ(back[2].items()[1].hash32(), Hash32::from(Bytes(32, 1)).value());
  EXPECT_TRUE(back[3].items()[1].items()[0].boolean());
  EXPECT_EQ(encode(type, back).value(), encoded);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    ASSERT_FALSE(decode(type, BytesView(encoded).first(size))) << size;
  }
}

// ------------------------------------------------------------ random types

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : engine_(seed) {}

  std::string type(unsigned depth) {
    const std::uint64_t kind = engine_() % (depth == 0 ? 6 : 9);
    switch (kind) {
      case 0:
        return "uint" + std::to_string(8 * (1 + engine_() % 32));
      case 1:
        return "int" + std::to_string(8 * (1 + engine_() % 32));
      case 2:
        return engine_() % 2 == 0 ? "address" : "bool";
      case 3:
        return "bytes" + std::to_string(1 + engine_() % 32);
      case 4:
        return "bytes";
      case 5:
        return "string";
      case 6:
        return type(depth - 1) + "[]";
      case 7:
        return type(depth - 1) + "[" + std::to_string(1 + engine_() % 3) + "]";
      default:
        return tuple(depth - 1);
    }
  }
  std::string tuple(unsigned depth) {
    std::string out = "(";
    for (std::uint64_t i = 1 + engine_() % 3; i > 0; --i) out += type(depth) + (i > 1 ? "," : "");
    return out + ")";
  }
  Value value(const Type& of) {
    const auto several = [&](std::size_t count, auto&& element) {
      Values out;
      for (std::size_t i = 0; i < count; ++i) out.push_back(value(element(i)));
      return Value(std::move(out));
    };
    switch (of.kind) {
      case Type::Kind::kUint:
        return Value(number() >> (256 - of.size));
      case Type::Kind::kInt:
        return Value(sar(number(), 256 - of.size));
      case Type::Kind::kBool:
        return Value(engine_() % 2 == 0);
      case Type::Kind::kAddress:
        return Value(random(20));
      case Type::Kind::kFixedBytes:
        return Value(random(of.size));
      case Type::Kind::kBytes:
        return Value(random(engine_() % 70));
      case Type::Kind::kString:
        return Value(std::string(as_text(random(engine_() % 70))));
      case Type::Kind::kArray:
        return several(engine_() % 4, [&](std::size_t) -> const Type& { return of.inner[0]; });
      case Type::Kind::kFixedArray:
        return several(of.size, [&](std::size_t) -> const Type& { return of.inner[0]; });
      case Type::Kind::kTuple:
        return several(of.inner.size(), [&](std::size_t i) -> const Type& { return of.inner[i]; });
    }
    return Value(0U);
  }
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }

 private:
  uint256 number() { return {engine_(), engine_(), engine_(), engine_()}; }
  Bytes random(std::size_t size) {
    Bytes out(size);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
    return out;
  }
  std::mt19937_64 engine_;
};

bool same(const Value& a, const Value& b) {
  if (a.v.index() != b.v.index()) return false;
  if (const auto* items = std::get_if<Values>(&a.v)) return std::ranges::equal(*items, b.items(), same);
  if (const auto* number = std::get_if<uint256>(&a.v)) return *number == b.number();
  if (const auto* bytes = std::get_if<Bytes>(&a.v)) return *bytes == b.bytes();
  return a.text() == b.text();
}

TEST(Abi, RandomTypesRoundTripAndHaveOneEncoding) {
  Generator generator(21);
  int flips_that_decode = 0;
  for (int i = 0; i < 600; ++i) {
    const std::string text = generator.tuple(3);
    const auto type = Type::parse(text);
    ASSERT_TRUE(type) << text;
    ASSERT_EQ(type->to_string(), text);
    const Value value = generator.value(*type);
    const auto encoded = encode(*type, value.items());
    ASSERT_TRUE(encoded) << text << ": " << encoded.error().message;
    const auto decoded = decode(*type, *encoded);
    ASSERT_TRUE(decoded) << text << ": " << decoded.error().message;
    ASSERT_TRUE(same(Value(*decoded), value)) << text;
    // Strictness as a property: whatever decodes is exactly what its values encode to.
    for (int j = 0; j < 8 && !encoded->empty(); ++j) {
      Bytes changed = *encoded;
      changed[generator.below(changed.size())] ^= static_cast<std::uint8_t>(1U << generator.below(8));
      const auto other = decode(*type, changed);
      if (!other) continue;
      ++flips_that_decode;
      ASSERT_EQ(encode(*type, *other).value(), changed) << text;
    }
  }
  EXPECT_GT(flips_that_decode, 100);
}

}  // namespace
}  // namespace bonus::abi
