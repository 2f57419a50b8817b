// Version 1 of the records of a name: docs/formats/names.md.
#include "bonus/chain/api/name_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "bonus/chain/api/names.hpp"

namespace bonus::chain::names {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSrvHeadBytes = 6;
constexpr std::array<std::string_view, 5> kTypeNames{"AAAA", "TXT", "SRV", "ALIAS", "NODEKEY"};

std::unexpected<Error> bad(std::string what) { return fail(ErrorCode::kInvalid, std::move(what)); }

bool label_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

/// Labels of [a-z0-9_-] joined by dots; an underscore is what SRV and TXT names begin with (RFC 8552).
bool valid_labels(std::string_view text) {
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, label_character)) return false;
    if (dot == text.size()) return true;
    text.remove_prefix(dot + 1);
  }
}

Result<> check_relative(std::string_view name) {
  if (name.empty()) return {};
  if (name.size() > kMaxRelativeBytes || !valid_labels(name))
    return bad("the name of a record is empty or labels of a-z, 0-9, '-' and '_' joined by dots, at most 100 bytes");
  return {};
}

Result<> check_target(std::string_view target) {
  if (target.size() > kMaxTargetBytes || !target.ends_with(kSuffix) || !valid_labels(target))
    return bad("a target is a lower-case name under .bonus of at most 128 bytes, such as web.alice.bonus");
  return {};
}

Result<> check_address(const net::Ipv6& address) {
  const std::uint8_t first = address.bytes[0];
  if (first != 0xfd && (first & 0xe0U) != 0x20)
    return bad("an AAAA record holds an address of the overlay (fd00::/8) or of the Internet (2000::/3)");
  return {};
}

/// Checks the data of a record and appends its bytes.
struct ValueEncoder {
  Bytes& out;
  Result<> operator()(const Aaaa& in) const {
    TRY(check_address(in.address));
    append(out, in.address);
    return {};
  }
  Result<> operator()(const Txt& in) const {
    if (in.text.empty() || in.text.size() > kMaxTextBytes) return bad("a TXT record holds 1 to 255 bytes");
    append(out, in.text);
    return {};
  }
  Result<> operator()(const Srv& in) const {
    if (in.port == 0) return bad("the port of an SRV record is 1 to 65535");
    TRY(check_target(in.target));
    for (const std::uint16_t number : {in.priority, in.weight, in.port}) {
      out.push_back(static_cast<std::uint8_t>(number >> 8));
      out.push_back(static_cast<std::uint8_t>(number & 0xff));
    }
    append(out, as_bytes(in.target));
    return {};
  }
  Result<> operator()(const Alias& in) const {
    TRY(check_target(in.target));
    append(out, as_bytes(in.target));
    return {};
  }
  Result<> operator()(const NodeKey& in) const {
    if (in.key.is_zero()) return bad("a NODEKEY record holds the 32 bytes of a node's public key");
    append(out, in.key);
    return {};
  }
};

Result<Bytes> value_bytes(const Record& record) {
  Bytes out;
  TRY(std::visit(ValueEncoder{out}, record.data));
  return out;
}

struct Encoded {
  const Record* record;
  Bytes value;
};

bool same_set(const Record& a, const Record& b) { return a.name == b.name && a.type() == b.type(); }

/// (name, type, value) in ascending order.
bool before(const Encoded& a, const Encoded& b) {
  if (a.record->name != b.record->name) return a.record->name < b.record->name;
  if (a.record->type() != b.record->type()) return a.record->type() < b.record->type();
  return std::ranges::lexicographical_compare(a.value, b.value);
}

/// What holds between records; `list` is sorted.
Result<> check_sets(const std::vector<Encoded>& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Record& record = *list[i].record;
    if (i != 0 && !before(list[i - 1], list[i]))
      return bad(fmt::format("the {} record \"{}\" stands twice", to_string(record.type()), value_text(record)));
    // RFC 2181, section 5.2.
    if (i != 0 && same_set(*list[i - 1].record, record) && list[i - 1].record->ttl_s != record.ttl_s)
      return bad(fmt::format("the {} records of one name have one TTL", to_string(record.type())));
    if (record.type() != RecordType::kAlias) continue;
    const auto answers_address = [&](const Encoded& other) {
      return other.record != &record && other.record->name == record.name &&
             (other.record->type() == RecordType::kAaaa || other.record->type() == RecordType::kAlias ||
              other.record->type() == RecordType::kNodeKey);
    };
    if (std::ranges::any_of(list, answers_address))
      return bad("an ALIAS is the only record of its name that leads to addresses");
  }
  return {};
}

/// Reads the fields of one encoded list; every read is bounded by what is left.
class Reader {
 public:
  explicit Reader(BytesView in) : left_(in) {}
  [[nodiscard]] bool done() const { return left_.empty(); }
  Result<BytesView> take(std::size_t count) {
    if (left_.size() < count) return bad("the records end in the middle");
    const BytesView out = left_.first(count);
    left_ = left_.subspan(count);
    return out;
  }
  Result<std::uint32_t> number(std::size_t bytes) {
    TRY_ASSIGN(const BytesView raw, take(bytes));
    std::uint32_t out = 0;
    for (const std::uint8_t byte : raw) out = out << 8 | byte;
    return out;
  }
  Result<BytesView> counted() {
    TRY_ASSIGN(const std::uint32_t count, number(1));
    return take(count);
  }

 private:
  BytesView left_;
};

Result<Srv> srv_from(BytesView value) {
  Reader in(value);
  Srv out;
  for (std::uint16_t* number : {&out.priority, &out.weight, &out.port}) {
    TRY_ASSIGN(const std::uint32_t read, in.number(2));
    *number = static_cast<std::uint16_t>(read);
  }
  out.target = as_text(value.subspan(kSrvHeadBytes));
  return out;
}

Result<Record> read_record(Reader& in) {
  Record out;
  TRY_ASSIGN(const std::uint32_t type, in.number(1));
  TRY_ASSIGN(out.ttl_s, in.number(4));
  TRY_ASSIGN(const BytesView name, in.counted());
  TRY_ASSIGN(const BytesView value, in.counted());
  out.name = as_text(name);
  switch (static_cast<RecordType>(type)) {
    case RecordType::kAaaa: {
      TRY_ASSIGN(const auto address, net::Ipv6::from(value));
      out.data = Aaaa{address};
      return out;
    }
    case RecordType::kTxt:
      out.data = Txt{{value.begin(), value.end()}};
      return out;
    case RecordType::kSrv: {
      TRY_ASSIGN(out.data, srv_from(value));
      return out;
    }
    case RecordType::kAlias:
      out.data = Alias{std::string(as_text(value))};
      return out;
    case RecordType::kNodeKey: {
      TRY_ASSIGN(const auto key, Ed25519PublicKey::from(value));
      out.data = NodeKey{key};
      return out;
    }
  }
  return bad(fmt::format("records of type {} are not known", type));
}

Result<std::uint16_t> parse_u16(std::string_view what, std::string_view text) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size())
    return bad(fmt::format("the {} of an SRV record is a number from 0 to 65535", what));
  return out;
}

std::string lower_target(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// RFC 1035, section 5.1: quotes and backslashes by a backslash, what is not printable as \DDD.
std::string quoted(BytesView text) {
  std::string out = "\"";
  for (const std::uint8_t byte : text) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else if (byte >= ' ' && byte <= '~') {
      out += static_cast<char>(byte);
    } else {
      out += fmt::format("\\{:03}", byte);
    }
  }
  return out + '"';
}

}  // namespace

Result<Bytes> encode_records(NameRecords records) {
  if (records.empty()) return Bytes{};
  if (records.size() > kMaxRecords)
    return fail(ErrorCode::kExhausted, fmt::format("a name has at most {} records", kMaxRecords));
  std::vector<Encoded> list;
  for (const Record& record : records) {
    TRY(check_relative(record.name));
    if (record.ttl_s > kMaxTtlSeconds) return bad(fmt::format("a TTL is at most {} seconds", kMaxTtlSeconds));
    TRY_ASSIGN(Bytes value, value_bytes(record));
    list.push_back({&record, std::move(value)});
  }
  std::ranges::sort(list, before);
  TRY(check_sets(list));
  Bytes out{kVersion, static_cast<std::uint8_t>(list.size())};
  for (const Encoded& item : list) {
    out.push_back(static_cast<std::uint8_t>(item.record->type()));
    for (const unsigned shift : {24U, 16U, 8U, 0U})
      out.push_back(static_cast<std::uint8_t>(item.record->ttl_s >> shift & 0xff));
    out.push_back(static_cast<std::uint8_t>(item.record->name.size()));
    append(out, as_bytes(item.record->name));
    out.push_back(static_cast<std::uint8_t>(item.value.size()));
    append(out, item.value);
  }
  if (out.size() > kMaxRecordsBytes)
    return fail(ErrorCode::kExhausted,
                fmt::format("the records of a name take at most {} bytes; these are {}", kMaxRecordsBytes, out.size()));
  return out;
}

Result<NameRecords> decode_records(BytesView encoded) {
  if (encoded.empty()) return NameRecords{};
  if (encoded.size() > kMaxRecordsBytes) return bad(fmt::format("records take at most {} bytes", kMaxRecordsBytes));
  Reader in(encoded);
  TRY_ASSIGN(const std::uint32_t version, in.number(1));
  if (version != kVersion) return bad(fmt::format("records of version {} are not known", version));
  TRY_ASSIGN(const std::uint32_t count, in.number(1));
  NameRecords out;
  for (std::uint32_t i = 0; i < count; ++i) {
    TRY_ASSIGN(Record record, read_record(in));
    out.push_back(std::move(record));
  }
  if (!in.done()) return bad("bytes follow the last record");
  // One form only: sorted, bounded, each value as it should be. No records have the empty form.
  TRY_ASSIGN(const Bytes canonical, encode_records(out));
  if (!std::ranges::equal(canonical, encoded)) return bad("the records are not in their one order");
  return out;
}

std::string_view to_string(RecordType type) {
  const auto index = static_cast<std::size_t>(type) - 1;
  return index < kTypeNames.size() ? kTypeNames.at(index) : "UNKNOWN";
}

Result<RecordType> parse_record_type(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (std::size_t i = 0; i < kTypeNames.size(); ++i)
    if (kTypeNames.at(i) == upper) return static_cast<RecordType>(i + 1);
  return bad("the types of records are AAAA, TXT, SRV, ALIAS and NODEKEY");
}

std::string value_text(const Record& record) {
  struct {
    std::string operator()(const Aaaa& in) const { return net::to_string(in.address); }
    std::string operator()(const Txt& in) const { return quoted(in.text); }
    std::string operator()(const Srv& in) const {
      return fmt::format("{} {} {} {}", in.priority, in.weight, in.port, in.target);
    }
    std::string operator()(const Alias& in) const { return in.target; }
    std::string operator()(const NodeKey& in) const { return to_hex(in.key); }
  } const visitor;
  return std::visit(visitor, record.data);
}

Result<Record> parse_record(std::string_view name, RecordType type, std::uint32_t ttl_s,
                            const std::vector<std::string>& words) {
  Record out{.name = lower_target(name), .ttl_s = ttl_s, .data = {}};
  const std::size_t wanted = type == RecordType::kSrv ? 4 : 1;
  if (type != RecordType::kTxt && words.size() != wanted)
    return bad(type == RecordType::kSrv ? "an SRV record is written: PRIORITY WEIGHT PORT TARGET"
                                        : fmt::format("{} takes one value", to_string(type)));
  switch (type) {
    case RecordType::kAaaa: {
      TRY_ASSIGN(const auto address, net::parse_ip(words[0]));
      out.data = Aaaa{address};
      break;
    }
    case RecordType::kTxt: {
      std::string text;
      for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
      const BytesView raw = as_bytes(text);
      out.data = Txt{{raw.begin(), raw.end()}};
      break;
    }
    case RecordType::kSrv: {
      Srv srv;
      TRY_ASSIGN(srv.priority, parse_u16("priority", words[0]));
      TRY_ASSIGN(srv.weight, parse_u16("weight", words[1]));
      TRY_ASSIGN(srv.port, parse_u16("port", words[2]));
      srv.target = lower_target(words[3]);
      out.data = std::move(srv);
      break;
    }
    case RecordType::kAlias:
      out.data = Alias{lower_target(words[0])};
      break;
    case RecordType::kNodeKey: {
      TRY_ASSIGN(const auto key, fixed_from_hex<Ed25519PublicKey>(words[0]));
      out.data = NodeKey{key};
      break;
    }
  }
  // One record alone must be encodable: says what is wrong with it before it is put among others.
  TRY(encode_records({out}));
  return out;
}

}  // namespace bonus::chain::names
