// ABI encoder and strict decoder. Recursion follows the type, whose depth Type::parse() bounds.
#include "bonus/codec/abi.hpp"

#include <fmt/format.h>

#include <cassert>

#include "bonus/codec/abi_detail.hpp"

namespace bonus::abi {
namespace {

using detail::kWord;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, "ABI: " + std::move(message)); }

std::size_t padded(std::size_t size) { return (size + kWord - 1) / kWord * kWord; }

/// The same rule for both directions: the value is in the range of its type.
bool in_range(const Type& type, const uint256& value) {
  switch (type.kind) {
    case Type::Kind::kBool:
      return value <= uint256(1U);
    case Type::Kind::kAddress:
      return value.bit_length() <= 160;
    case Type::Kind::kUint:
      return value.bit_length() <= type.size;
    case Type::Kind::kInt:
      return sign_extend(uint256(type.size / 8 - 1), value) == value;
    default:
      return false;
  }
}

/// Member types of anything that is laid out as head and tail.
class Members {
 public:
  Members(const Type& type, std::size_t count) : type_(type), count_(count) {}
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const Type& operator[](std::size_t i) const {
    return type_.kind == Type::Kind::kTuple ? type_.inner[i] : type_.inner[0];
  }
  [[nodiscard]] std::size_t head_bytes() const {
    if (type_.kind != Type::Kind::kTuple) return count_ * detail::head_words(type_.inner[0]) * kWord;
    return detail::static_words(type_) * kWord;
  }

 private:
  const Type& type_;
  std::size_t count_;
};

// ---------------------------------------------------------------- encoding

void put_number(Bytes& out, const uint256& value) { append(out, value.to_be()); }

void put_padded(Bytes& out, BytesView in) {
  append(out, in);
  out.resize(out.size() + padded(in.size()) - in.size());
}

Result<> put_value(Bytes& out, const Type& type, const Value& value);

Result<> put_members(Bytes& out, const Members& members, const Values& values) {
  if (values.size() != members.count()) {
    return bad(fmt::format("{} values given where {} are needed", values.size(), members.count()));
  }
  const std::size_t base = out.size();
  const std::size_t head = members.head_bytes();
  // Heads are written in place, tails behind them; a static member's head is its value.
  Bytes tails;
  for (std::size_t i = 0; i < members.count(); ++i) {
    const Type& type = members[i];
    const bool dynamic = type.dynamic();
    if (dynamic) put_number(out, uint256(head + tails.size()));
    auto done = put_value(dynamic ? tails : out, type, values[i]);
    if (!done) return fail(std::move(done).error().wrap(fmt::format("value {}", i)));
  }
  assert(out.size() - base == head);
  append(out, tails);
  return {};
}

Result<> put_word(Bytes& out, const Type& type, const Value& value) {
  if (const auto* number = std::get_if<uint256>(&value.v); number != nullptr) {
    if (!in_range(type, *number)) return bad(fmt::format("number does not fit {}", type.to_string()));
    put_number(out, *number);
    return {};
  }
  const auto* bytes = std::get_if<Bytes>(&value.v);
  const bool address = type.kind == Type::Kind::kAddress;
  if (bytes == nullptr || !(address || type.kind == Type::Kind::kFixedBytes)) {
    return bad(fmt::format("value of another kind given for {}", type.to_string()));
  }
  const std::size_t want = address ? 20 : type.size;
  if (bytes->size() != want) return bad(fmt::format("{} bytes given for {}", bytes->size(), type.to_string()));
  if (address) {
    put_number(out, uint256::from_be(*bytes));
  } else {
    put_padded(out, *bytes);
  }
  return {};
}

Result<> put_value(Bytes& out, const Type& type, const Value& value) {
  switch (type.kind) {
    case Type::Kind::kBytes:
      if (const auto* bytes = std::get_if<Bytes>(&value.v); bytes != nullptr) {
        put_number(out, uint256(bytes->size()));
        put_padded(out, *bytes);
        return {};
      }
      return bad("value of another kind given for bytes");
    case Type::Kind::kString:
      if (const auto* text = std::get_if<std::string>(&value.v); text != nullptr) {
        put_number(out, uint256(text->size()));
        put_padded(out, as_bytes(*text));
        return {};
      }
      return bad("value of another kind given for string");
    case Type::Kind::kTuple:
    case Type::Kind::kArray:
    case Type::Kind::kFixedArray: {
      const auto* items = std::get_if<Values>(&value.v);
      if (items == nullptr) return bad(fmt::format("a list of values is needed for {}", type.to_string()));
      if (type.kind == Type::Kind::kArray) put_number(out, uint256(items->size()));
      const std::size_t count = type.kind == Type::Kind::kTuple        ? type.inner.size()
                                : type.kind == Type::Kind::kFixedArray ? type.size
                                                                       : items->size();
      return put_members(out, Members(type, count), *items);
    }
    default:
      return put_word(out, type, value);
  }
}

// ---------------------------------------------------------------- decoding

class Reader {
 public:
  Reader(BytesView data, std::size_t budget) : data_(data), budget_(budget) {}

  /// Members at `base`; `end` becomes the position behind their last tail.
  Result<Values> members(const Members& types, std::size_t base, std::size_t& end) {
    if (types.count() > budget_) return bad("more values than allowed");
    budget_ -= types.count();
    const std::size_t head = types.head_bytes();
    if (head > data_.size() - base) return bad(fmt::format("input ends inside the heads at byte {}", base));
    Values out;
    out.reserve(types.count());
    std::size_t at = base;
    std::size_t tail = base + head;
    for (std::size_t i = 0; i < types.count(); ++i) {
      const Type& type = types[i];
      if (!type.dynamic()) {
        TRY_ASSIGN(auto value, value_at(type, at, at));
        out.push_back(std::move(value));
        continue;
      }
      if (word(at) != uint256(tail - base)) {
        return bad(fmt::format("offset at byte {} does not point behind the previous value", at));
      }
      at += kWord;
      TRY_ASSIGN(auto value, value_at(type, tail, tail));
      out.push_back(std::move(value));
    }
    end = tail;
    return out;
  }

 private:
  [[nodiscard]] uint256 word(std::size_t at) const { return uint256::from_be(data_.subspan(at, kWord)); }

  Result<std::size_t> length_at(std::size_t at) const {
    if (data_.size() - at < kWord) return bad(fmt::format("input ends inside the length at byte {}", at));
    const uint256 length = word(at);
    if (length > uint256(data_.size() - at - kWord)) {
      return bad(fmt::format("length at byte {} is larger than the input", at));
    }
    return static_cast<std::size_t>(length.low64());
  }

  Result<BytesView> byte_string(std::size_t at, std::size_t& end) const {
    TRY_ASSIGN(const std::size_t length, length_at(at));
    const BytesView body = data_.subspan(at + kWord);
    if (padded(length) > body.size()) return bad(fmt::format("input ends inside the padding at byte {}", at));
    for (const std::uint8_t byte : body.subspan(length, padded(length) - length)) {
      if (byte != 0) return bad(fmt::format("padding behind byte {} is not zero", at));
    }
    end = at + kWord + padded(length);
    return body.first(length);
  }

  /// `at` and `end` may be the same variable.
  Result<Value> value_at(const Type& type, std::size_t at, std::size_t& end) {
    switch (type.kind) {
      case Type::Kind::kBytes: {
        TRY_ASSIGN(const BytesView raw, byte_string(at, end));
        return Value(Bytes(raw.begin(), raw.end()));
      }
      case Type::Kind::kString: {
        TRY_ASSIGN(const BytesView raw, byte_string(at, end));
        return Value(std::string(as_text(raw)));
      }
      case Type::Kind::kArray: {
        // An element takes a word at least, so a count within length_at's bound is checked again by members().
        TRY_ASSIGN(const std::size_t count, length_at(at));
        if (count > budget_) return bad("more values than allowed");
        TRY_ASSIGN(auto items, members(Members(type, count), at + kWord, end));
        return Value(std::move(items));
      }
      case Type::Kind::kTuple:
      case Type::Kind::kFixedArray: {
        const std::size_t count = type.kind == Type::Kind::kTuple ? type.inner.size() : type.size;
        TRY_ASSIGN(auto items, members(Members(type, count), at, end));
        return Value(std::move(items));
      }
      case Type::Kind::kFixedBytes: {
        const BytesView raw = data_.subspan(at, kWord);
        for (const std::uint8_t byte : raw.subspan(type.size)) {
          if (byte != 0) return bad(fmt::format("padding of {} at byte {} is not zero", type.to_string(), at));
        }
        end = at + kWord;
        return Value(Bytes(raw.begin(), raw.begin() + type.size));
      }
      default: {
        const uint256 number = word(at);
        if (!in_range(type, number)) return bad(fmt::format("number at byte {} does not fit {}", at, type.to_string()));
        end = at + kWord;
        if (type.kind != Type::Kind::kAddress) return Value(number);
        const BytesView raw = data_.subspan(at + 12, 20);
        return Value(Bytes(raw.begin(), raw.end()));
      }
    }
  }

  BytesView data_;
  std::size_t budget_;
};

constexpr std::array<std::uint8_t, 4> kErrorSelector{0x08, 0xc3, 0x79, 0xa0};  // Error(string)

const Type& error_type() {
  static const Type type = [] {
    Type text;
    text.kind = Type::Kind::kString;
    Type tuple;
    tuple.kind = Type::Kind::kTuple;
    tuple.inner.push_back(text);
    return tuple;
  }();
  return type;
}

}  // namespace

const uint256& Value::number() const {
  const auto* out = std::get_if<uint256>(&v);
  assert(out != nullptr && "value is not a number");
  return *out;
}
std::uint64_t Value::u64() const { return number().clamp_u64(); }
bool Value::boolean() const { return !number().is_zero(); }

Address Value::address() const {
  Address out;
  if (const auto* bytes = std::get_if<Bytes>(&v); bytes != nullptr) {
    assert(bytes->size() == out.bytes.size() && "value is not an address");
    std::ranges::copy(*bytes, out.bytes.begin());
    return out;
  }
  std::ranges::copy(number().to_be().view().last(out.bytes.size()), out.bytes.begin());
  return out;
}

Hash32 Value::hash32() const {
  const auto* bytes = std::get_if<Bytes>(&v);
  if (bytes == nullptr) return number().to_be();
  Hash32 out;
  assert(bytes->size() == out.bytes.size() && "value is not bytes32");
  std::ranges::copy(*bytes, out.bytes.begin());
  return out;
}

const Bytes& Value::bytes() const {
  const auto* out = std::get_if<Bytes>(&v);
  assert(out != nullptr && "value is not bytes");
  return *out;
}
const std::string& Value::text() const {
  const auto* out = std::get_if<std::string>(&v);
  assert(out != nullptr && "value is not a string");
  return *out;
}
const Values& Value::items() const {
  const auto* out = std::get_if<Values>(&v);
  assert(out != nullptr && "value is not a list");
  return *out;
}

Result<Bytes> encode(const Type& tuple, const Values& values) {
  if (tuple.kind != Type::Kind::kTuple) return bad("only the members of a tuple can be encoded");
  Bytes out;
  TRY(put_members(out, Members(tuple, tuple.inner.size()), values));
  return out;
}

Result<Values> decode(const Type& tuple, BytesView data, std::size_t max_elements) {
  if (tuple.kind != Type::Kind::kTuple) return bad("only the members of a tuple can be decoded");
  Reader reader(data, max_elements);
  std::size_t end = 0;
  TRY_ASSIGN(auto values, reader.members(Members(tuple, tuple.inner.size()), 0, end));
  if (end != data.size()) return bad(fmt::format("{} unexpected bytes after the last value", data.size() - end));
  return values;
}

Bytes encode_revert(std::string_view reason) {
  Bytes out(kErrorSelector.begin(), kErrorSelector.end());
  const auto encoded = encode(error_type(), {Value(std::string(reason))});
  assert(encoded);
  append(out, *encoded);
  return out;
}

std::string decode_revert(BytesView data) {
  if (data.size() < 4 || !std::ranges::equal(data.first(4), kErrorSelector)) return {};
  const auto values = decode(error_type(), data.subspan(4));
  return values ? (*values)[0].text() : std::string();
}

}  // namespace bonus::abi
