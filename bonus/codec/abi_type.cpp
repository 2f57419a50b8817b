// Types and function signatures of the Solidity ABI: parsing and canonical text.
#include <fmt/format.h>

#include <charconv>

#include "bonus/codec/abi.hpp"
#include "bonus/codec/abi_detail.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::abi {
namespace {

constexpr unsigned kMaxDepth = 16;
constexpr std::size_t kMaxMembers = 64;
constexpr std::size_t kMaxStaticWords = 65536;  ///< 2 MiB: no honest type is larger, and sizes cannot overflow.

std::string_view prefix_of(Type::Kind kind) {
  switch (kind) {
    case Type::Kind::kUint:
      return "uint";
    case Type::Kind::kInt:
      return "int";
    case Type::Kind::kAddress:
      return "address";
    case Type::Kind::kBool:
      return "bool";
    case Type::Kind::kFixedBytes:
      return "bytes";
    case Type::Kind::kBytes:
      return "bytes";
    case Type::Kind::kString:
      return "string";
    case Type::Kind::kTuple:
    case Type::Kind::kArray:
    case Type::Kind::kFixedArray:
      return "";
  }
  return "";
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Type> type(unsigned depth) {
    if (depth > kMaxDepth) return bad("types are nested too deeply");
    const bool grouped = peek() == '(';
    auto base = grouped ? tuple(depth) : elementary();
    if (!base) return base;
    Type out = *std::move(base);
    for (unsigned suffixes = depth; peek() == '['; ++suffixes) {
      if (suffixes >= kMaxDepth) return bad("types are nested too deeply");
      auto wrapped = array_of(std::move(out));
      if (!wrapped) return wrapped;
      out = *std::move(wrapped);
    }
    return out;
  }

  Result<Type> tuple(unsigned depth) {
    if (peek() != '(') return bad("'(' expected");
    ++at_;
    Type out;
    out.kind = Type::Kind::kTuple;
    out.size = 0;
    if (peek() == ')') {
      ++at_;
      return out;
    }
    while (true) {
      if (out.inner.size() == kMaxMembers) return bad("tuple has more than 64 members");
      TRY_ASSIGN(auto member, type(depth + 1));
      out.inner.push_back(std::move(member));
      const char next = peek();
      ++at_;
      if (next == ')') break;
      if (next != ',') {
        --at_;
        return bad("',' or ')' expected");
      }
    }
    if (detail::head_words(out) > kMaxStaticWords) return bad("type is too large");
    return out;
  }

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
    return fail(ErrorCode::kInvalid, fmt::format("ABI type '{}', position {}: {}", text_.substr(0, 100), at_, what));
  }
  std::string_view identifier() {
    const std::size_t start = at_;
    const auto inside = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
    };
    while (inside(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }

 private:
  /// A decimal number without leading zeros, or nothing.
  static bool parse_size(std::string_view digits, unsigned& out) {
    if (digits.empty() || digits[0] == '0') return false;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size();
  }

  Result<Type> elementary() {
    const std::size_t start = at_;
    const std::string_view word = identifier();
    const auto simple = [](Type::Kind kind, unsigned size) {
      Type out;
      out.kind = kind;
      out.size = size;
      return out;
    };
    if (word == "address") return simple(Type::Kind::kAddress, 160);
    if (word == "bool") return simple(Type::Kind::kBool, 8);
    if (word == "bytes") return simple(Type::Kind::kBytes, 0);
    if (word == "string") return simple(Type::Kind::kString, 0);
    if (word == "uint") return simple(Type::Kind::kUint, 256);
    if (word == "int") return simple(Type::Kind::kInt, 256);
    unsigned size = 0;
    for (const auto kind : {Type::Kind::kUint, Type::Kind::kInt, Type::Kind::kFixedBytes}) {
      const std::string_view prefix = prefix_of(kind);
      if (!word.starts_with(prefix) || !parse_size(word.substr(prefix.size()), size)) continue;
      if (kind == Type::Kind::kFixedBytes ? size <= 32 : size <= 256 && size % 8 == 0) return simple(kind, size);
    }
    at_ = start;
    return bad("unknown type");
  }

  Result<Type> array_of(Type element) {
    ++at_;  // '['
    Type out;
    out.size = 0;
    out.kind = Type::Kind::kArray;
    if (peek() != ']') {
      const std::size_t start = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      out.kind = Type::Kind::kFixedArray;
      if (!parse_size(text_.substr(start, at_ - start), out.size) || out.size > kMaxStaticWords) {
        return bad("array size must be between 1 and 65536");
      }
    }
    if (peek() != ']') return bad("']' expected");
    ++at_;
    if (detail::head_words(element) == 0) return bad("array of elements without a size");
    out.inner.push_back(std::move(element));
    if (detail::head_words(out) > kMaxStaticWords) return bad("type is too large");
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

namespace detail {

std::size_t static_words(const Type& type) {
  switch (type.kind) {
    case Type::Kind::kTuple: {
      std::size_t sum = 0;
      for (const Type& member : type.inner) sum += head_words(member);
      return sum;
    }
    case Type::Kind::kFixedArray:
      return type.size * head_words(type.inner[0]);
    default:
      return 1;
  }
}

std::size_t head_words(const Type& type) { return type.dynamic() ? 1 : static_words(type); }

}  // namespace detail

bool Type::dynamic() const {
  switch (kind) {
    case Kind::kBytes:
    case Kind::kString:
    case Kind::kArray:
      return true;
    case Kind::kTuple:
    case Kind::kFixedArray:
      return std::ranges::any_of(inner, [](const Type& t) { return t.dynamic(); });
    default:
      return false;
  }
}

std::string Type::to_string() const {
  switch (kind) {
    case Kind::kUint:
    case Kind::kInt:
    case Kind::kFixedBytes:
      return fmt::format("{}{}", prefix_of(kind), size);
    case Kind::kTuple: {
      std::string out = "(";
      for (const Type& member : inner) {
        if (out.size() > 1) out += ',';
        out += member.to_string();
      }
      return out + ')';
    }
    case Kind::kArray:
      return inner[0].to_string() + "[]";
    case Kind::kFixedArray:
      return fmt::format("{}[{}]", inner[0].to_string(), size);
    default:
      return std::string(prefix_of(kind));
  }
}

Result<Type> Type::parse(std::string_view text) {
  Parser parser(text);
  TRY_ASSIGN(auto type, parser.type(0));
  if (!parser.at_end()) return parser.bad("unexpected characters");
  return type;
}

Result<Function> Function::parse(std::string_view signature) {
  Parser parser(signature);
  Function out;
  out.name = std::string(parser.identifier());
  if (out.name.empty()) return parser.bad("function name expected");
  TRY_ASSIGN(out.inputs, parser.tuple(0));
  out.outputs.kind = Type::Kind::kTuple;
  out.outputs.size = 0;
  if (!parser.at_end()) {
    TRY_ASSIGN(out.outputs, parser.tuple(0));
  }
  if (!parser.at_end()) return parser.bad("unexpected characters");
  out.selector = abi::selector(out.name + out.inputs.to_string());
  return out;
}

Result<Bytes> Function::encode_call(const Values& arguments) const {
  auto encoded = encode(inputs, arguments);
  if (!encoded) return fail(std::move(encoded).error().wrap("call of " + name));
  encoded->insert(encoded->begin(), selector.begin(), selector.end());
  return encoded;
}

std::array<std::uint8_t, 4> selector(std::string_view signature) {
  const Hash32 topic = event_topic(signature);
  return {topic.bytes[0], topic.bytes[1], topic.bytes[2], topic.bytes[3]};
}

Hash32 event_topic(std::string_view signature) { return crypto::keccak256(as_bytes(signature)); }

}  // namespace bonus::abi
