// Rules of .bonus names, and the calls, results and events of the Names contract.
#include "bonus/chain/api/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::names {
namespace {

using market::Call;
using market::Event;
using market::one;

/// Names of the node itself and of RFC 6761. `lease-<n>` and the like are rules of their own.
constexpr std::array<std::string_view, 5> kReserved{"bonus", "gateway", "invalid", "localhost", "node"};
constexpr std::size_t kMaxHostBytes = 253;     ///< RFC 1035, section 2.3.4, as text.
constexpr std::size_t kNodeIdCharacters = 52;  ///< 32 bytes in base32 (RFC 4648) without padding.

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }
bool is_base32(char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); }

std::string text_of(std::string_view name) { return std::string(name); }
Bytes bytes_of(BytesView in) { return {in.begin(), in.end()}; }

Result<abi::Values> result_of(Call call, BytesView data) {
  const abi::Function& info = market::function(call).function;
  // An account without code answers every call with nothing.
  if (data.empty()) return fail(ErrorCode::kUnsupported, "this chain has no Names contract (\"names\" in its genesis)");
  auto out = info.decode_result(data);
  if (!out) return fail(std::move(out).error().wrap("result of " + info.name));
  return out;
}

Result<NameInfo> info_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  NameInfo out;
  out.name = v[0].text();
  out.owner = v[1].address();
  out.manager = v[2].address();
  out.registered_at = v[3].u64();
  out.expires = v[4].u64();
  out.revision = static_cast<std::uint32_t>(v[5].u64());
  if (v[6].u64() > static_cast<std::uint64_t>(NameState::kGrace))
    return fail(ErrorCode::kInvalid, fmt::format("state {} of a name is not known", v[6].u64()));
  out.state = static_cast<NameState>(v[6].u64());
  out.records = v[7].bytes();
  return out;
}

const abi::Type& type_of(const char* text) {
  // Called with two constants only; parsed once each by the static below.
  static const auto commitment_type = abi::Type::parse("(string,address,uint64,bytes32)");
  static const auto reverse_type = abi::Type::parse("(string,uint256,address,string,bytes,uint64)");
  return text[0] == 'c' ? *commitment_type : *reverse_type;
}

}  // namespace

Result<> check_name(std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::kInvalid,
                fmt::format("the name \"{}\" cannot be registered: {}", name.substr(0, kMaxNameBytes), why));
  };
  // Bytes that are not plain text are not repeated in the message.
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
  if (!std::ranges::all_of(name, allowed))
    return fail(ErrorCode::kInvalid, "a name has only the letters a to z, digits and hyphens");
  if (name.size() < kMinNameBytes || name.size() > kMaxNameBytes)
    return bad(fmt::format("a name has {} to {} characters", kMinNameBytes, kMaxNameBytes));
  if (name.front() == '-' || name.back() == '-') return bad("it begins or ends with a hyphen");
  if (name.size() > 3 && name[2] == '-' && name[3] == '-')
    return bad("hyphens at the third and fourth place are kept for encodings such as \"xn--\"");
  if (all_digits(name)) return bad("a number is a lease");
  for (const std::string_view prefix : {"lease-", "order-"}) {
    if (name.starts_with(prefix) && all_digits(name.substr(prefix.size())))
      return bad(fmt::format("\"{}<number>\" names itself", prefix));
  }
  if (name.size() == kNodeIdCharacters && std::ranges::all_of(name, is_base32)) return bad("it looks like a node id");
  if (std::ranges::find(kReserved, name) != kReserved.end()) return bad("the word is reserved");
  return {};
}

Result<HostName> parse_host(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > kMaxHostBytes)
    return fail(ErrorCode::kInvalid, fmt::format("a name has at most {} characters", kMaxHostBytes));
  std::string whole(text);
  for (char& c : whole) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (whole.ends_with(kSuffix)) whole.resize(whole.size() - kSuffix.size());
  const std::size_t dot = whole.rfind('.');
  HostName out;
  out.name = dot == std::string::npos ? whole : whole.substr(dot + 1);
  if (dot != std::string::npos) out.below = whole.substr(0, dot);
  TRY(check_name(out.name));
  return out;
}

Result<std::string> parse_name(std::string_view text) {
  TRY_ASSIGN(HostName host, parse_host(text));
  if (!host.below.empty())
    return fail(ErrorCode::kInvalid,
                fmt::format("only \"{}{}\" itself is meant here, without what stands before it", host.name, kSuffix));
  return std::move(host.name);
}

std::string_view to_string(NameState state) {
  switch (state) {
    case NameState::kFree:
      return "free";
    case NameState::kLive:
      return "live";
    case NameState::kGrace:
      return "grace";
  }
  return "unknown";
}

Hash32 commitment(std::string_view name, const Address& owner, std::uint64_t duration_s, const Hash32& secret) {
  const auto encoded = abi::encode(type_of("c"), {text_of(name), owner, abi::Value(duration_s), secret});
  return crypto::keccak256(encoded.value_or(Bytes{}));
}

uint256 price(const NameParams& params, std::size_t name_bytes, std::uint64_t duration_s) {
  const uint256& yearly = name_bytes <= 3 ? params.price3 : name_bytes == 4 ? params.price4 : params.price5;
  // Below 2^128 * 2^64.
  return (yearly * uint256(duration_s) + uint256(kYearSeconds - 1)) / uint256(kYearSeconds);
}

Hash32 reverse_digest(std::uint64_t chain_id, const Address& owner, std::string_view name, BytesView container_id,
                      UnixSeconds deadline) {
  const auto encoded = abi::encode(type_of("r"), {"bonus/reverse/v1", abi::Value(chain_id), owner, text_of(name),
                                                  bytes_of(container_id), abi::Value(deadline)});
  return crypto::keccak256(encoded.value_or(Bytes{}));
}

namespace encode {
using market::encode_call;
Bytes commit(const Hash32& commitment) { return encode_call(Call::kNameCommit, {abi::Value(commitment)}); }
Bytes register_name(std::string_view name, const Address& owner, std::uint64_t duration_s, const Hash32& secret) {
  return encode_call(Call::kNameRegister, {text_of(name), owner, abi::Value(duration_s), secret});
}
Bytes renew(std::string_view name, std::uint64_t duration_s) {
  return encode_call(Call::kNameRenew, {text_of(name), abi::Value(duration_s)});
}
Bytes transfer(std::string_view name, const Address& to) {
  return encode_call(Call::kNameTransfer, {text_of(name), to});
}
Bytes approve(std::string_view name, const Address& manager) {
  return encode_call(Call::kNameApprove, {text_of(name), manager});
}
Bytes set_records(std::string_view name, BytesView records) {
  return encode_call(Call::kNameSetRecords, {text_of(name), bytes_of(records)});
}
Bytes set_reverse(std::string_view name, const Ed25519PublicKey& key, BytesView container_id, UnixSeconds deadline,
                  const Ed25519Signature& signature) {
  return encode_call(Call::kNameSetReverse,
                     {text_of(name), key, bytes_of(container_id), abi::Value(deadline), bytes_of(signature)});
}
Bytes clear_reverse(const net::Ipv6& address) { return encode_call(Call::kNameClearReverse, {abi::Value(address)}); }
Bytes available(std::string_view name) { return encode_call(Call::kNameAvailable, {abi::Value(text_of(name))}); }
Bytes price(std::string_view name, std::uint64_t duration_s) {
  return encode_call(Call::kNamePrice, {text_of(name), abi::Value(duration_s)});
}
Bytes owner(std::string_view name) { return encode_call(Call::kNameOwner, {abi::Value(text_of(name))}); }
Bytes expires(std::string_view name) { return encode_call(Call::kNameExpires, {abi::Value(text_of(name))}); }
Bytes records(std::string_view name) { return encode_call(Call::kNameRecords, {abi::Value(text_of(name))}); }
Bytes get_name(std::string_view name) { return encode_call(Call::kNameGet, {abi::Value(text_of(name))}); }
Bytes names_of(const Address& owner, std::uint64_t from, std::uint64_t limit) {
  return encode_call(Call::kNamesOf, {owner, abi::Value(from), abi::Value(limit)});
}
Bytes count() { return encode_call(Call::kNameCount, {}); }
Bytes list(std::uint64_t from, std::uint64_t limit) {
  return encode_call(Call::kNameList, {abi::Value(from), abi::Value(limit)});
}
Bytes committed_at(const Hash32& commitment) { return encode_call(Call::kNameCommittedAt, {abi::Value(commitment)}); }
Bytes rules() { return encode_call(Call::kNameRules, {}); }
Bytes reverse(const net::Ipv6& address) { return encode_call(Call::kNameReverse, {abi::Value(address)}); }
}  // namespace encode

namespace decode {
Result<bool> available(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameAvailable, data));
  return values[0].boolean();
}
Result<uint256> price(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNamePrice, data));
  return values[0].number();
}
Result<Address> owner(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameOwner, data));
  return values[0].address();
}
Result<UnixSeconds> expires(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameExpires, data));
  return values[0].u64();
}
Result<Bytes> records(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameRecords, data));
  return values[0].bytes();
}
Result<NameInfo> name(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameGet, data));
  return info_from(values[0]);
}
Result<std::vector<NameInfo>> names(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameList, data));
  std::vector<NameInfo> out;
  for (const abi::Value& item : values[0].items()) {
    TRY_ASSIGN(auto info, info_from(item));
    out.push_back(std::move(info));
  }
  return out;
}
Result<std::uint64_t> number(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameCount, data));
  return values[0].u64();
}
Result<Rules> rules(BytesView data) {
  TRY_ASSIGN(const auto v, result_of(Call::kNameRules, data));
  return Rules{v[0].u64(), v[1].u64(), v[2].u64(), v[3].u64(), v[4].u64()};
}
Result<std::string> reverse(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNameReverse, data));
  return values[0].text();
}
}  // namespace decode

namespace event {
std::optional<Registered> registered(const Log& log) {
  const auto v = market::parse_log(Event::kNameRegistered, log);
  if (!v) return std::nullopt;
  return Registered{(*v)[0].hash32(), (*v)[1].address(), (*v)[2].text(), (*v)[3].number(), (*v)[4].u64()};
}
std::optional<std::string> changed(const Log& log) {
  struct Place {
    Event event;
    std::size_t name;  ///< Position of the name among the parameters.
  };
  constexpr Place kPlaces[] = {{Event::kNameRegistered, 2},     {Event::kNameRenewed, 1},
                               {Event::kNameTransferred, 3},    {Event::kNameApproved, 2},
                               {Event::kNameRecordsChanged, 1}, {Event::kNameReverseChanged, 1}};
  for (const Place& place : kPlaces) {
    if (const auto v = market::parse_log(place.event, log)) return (*v)[place.name].text();
  }
  return std::nullopt;
}
}  // namespace event

}  // namespace bonus::chain::names
