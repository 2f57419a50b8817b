// The genesis file as JSON: docs/formats/genesis.md.
#include "bonus/chain/api/genesis.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxBytes = 64 << 20;
constexpr std::size_t kMaxBookkeepers = 128;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxEndpointBytes = 256;
constexpr std::uint64_t kMinGasLimit = 1'000'000;

struct MarketKey {
  const char* name;
  std::uint32_t MarketParams::* member;
  std::uint32_t min, max;
};
constexpr MarketKey kMarketKeys[] = {
    {"foundationFeeBps", &MarketParams::foundation_fee_bps, 0, 10'000},
    {"maxRoyaltyBps", &MarketParams::max_royalty_bps, 0, 10'000},
    {"heartbeatIntervalS", &MarketParams::heartbeat_interval_s, 1, 86'400},
    {"heartbeatTimeoutS", &MarketParams::heartbeat_timeout_s, 1, 86'400},
    {"heartbeatTimeoutBlocks", &MarketParams::heartbeat_timeout_blocks, 1, 86'400},
    {"startTimeoutS", &MarketParams::start_timeout_s, 1, 86'400},
    {"settleIntervalS", &MarketParams::settle_interval_s, 1, 86'400},
    {"lowBalanceS", &MarketParams::low_balance_s, 0, 31'536'000},
    {"penaltyFactorBps", &MarketParams::penalty_factor_bps, 0, 10'000},
    {"penaltyHalflifeS", &MarketParams::penalty_halflife_s, 1, 31'536'000},
    {"interruptionSlashBps", &MarketParams::interruption_slash_bps, 0, 10'000},
    {"maxMatchesPerBlock", &MarketParams::max_matches_per_block, 1, 1'000'000},
    {"maxExpiriesPerBlock", &MarketParams::max_expiries_per_block, 1, 1'000'000},
};

struct NameKey {
  const char* name;
  std::uint32_t NameParams::* member;
  std::uint32_t min, max;
};
constexpr NameKey kNameKeys[] = {
    // At least a second: blocks have different times, so a commitment and its registration are never in one block.
    {"minCommitmentAgeS", &NameParams::min_commitment_age_s, 1, 86'400},
    {"maxCommitmentAgeS", &NameParams::max_commitment_age_s, 1, 31'536'000},
    {"minDurationS", &NameParams::min_duration_s, 1, 315'360'000},
    {"maxDurationS", &NameParams::max_duration_s, 1, 3'153'600'000},
    {"graceS", &NameParams::grace_s, 0, 315'360'000},
};
struct NamePrice {
  const char* name;
  uint256 NameParams::* member;
};
constexpr NamePrice kNamePrices[] = {
    {"price3", &NameParams::price3}, {"price4", &NameParams::price4}, {"price5", &NameParams::price5}};

std::unexpected<Error> bad(std::string_view key, std::string_view what) {
  return fail(ErrorCode::kInvalid, fmt::format("genesis key {}: {}", key, what));
}

/// The members of one JSON object; every key must be asked for, what is left over is unknown.
class Reader {
 public:
  Reader(const json::object& object, std::string path) : object_(object), path_(std::move(path)) {}

  [[nodiscard]] std::string key(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  const json::value* find(std::string_view name) {
    seen_.insert(std::string(name));
    return object_.if_contains(name);
  }
  Result<const json::value*> need(std::string_view name) {
    const json::value* value = find(name);
    if (value == nullptr) return bad(key(name), "is missing");
    return value;
  }
  /// An integer in [min, max]; the default stays when the key is absent.
  template <class T>
  Result<> integer(std::string_view name, T& out, std::uint64_t min, std::uint64_t max, bool required = false) {
    const json::value* value = find(name);
    if (value == nullptr) {
      if (required) return bad(key(name), "is missing");
      return {};
    }
    std::uint64_t number = 0;
    if (value->is_uint64()) {
      number = value->get_uint64();
    } else if (value->is_int64() && value->get_int64() >= 0) {
      number = static_cast<std::uint64_t>(value->get_int64());
    } else {
      return bad(key(name), "must be a whole number that is not negative");
    }
    if (number < min || number > max) return bad(key(name), fmt::format("must be between {} and {}", min, max));
    out = static_cast<T>(number);
    return {};
  }
  Result<std::string> text(std::string_view name, std::size_t max_bytes, bool required) {
    const json::value* value = find(name);
    if (value == nullptr) {
      if (required) return bad(key(name), "is missing");
      return std::string();
    }
    if (!value->is_string()) return bad(key(name), "must be a string");
    if (value->get_string().size() > max_bytes)
      return bad(key(name), fmt::format("is longer than {} bytes", max_bytes));
    return std::string(value->get_string());
  }
  /// Wei as a string, decimal or "0x" hexadecimal: JSON numbers lose digits.
  Result<> amount(std::string_view name, uint256& out) {
    if (object_.if_contains(name) == nullptr) {
      seen_.insert(std::string(name));
      return {};
    }
    TRY_ASSIGN(const std::string value, text(name, 80, true));
    auto parsed = uint256::parse(value);
    if (!parsed) return bad(key(name), parsed.error().message);
    out = *parsed;
    return {};
  }
  Result<Address> address(std::string_view name) {
    TRY_ASSIGN(const std::string value, text(name, 42, true));
    auto parsed = crypto::parse_address(value);
    if (!parsed) return bad(key(name), parsed.error().message);
    return *parsed;
  }
  [[nodiscard]] Result<> expect_end() const {
    for (const auto& item : object_)
      if (!seen_.contains(std::string(item.key()))) return bad(key(item.key()), "is not known; check the spelling");
    return {};
  }

 private:
  const json::object& object_;
  std::string path_;
  std::set<std::string> seen_;
};

Result<const json::object*> as_object(const json::value& value, std::string_view key) {
  if (!value.is_object()) return bad(key, "must be an object");
  return &value.get_object();
}

Result<> read_bookkeepers(Reader& reader, Genesis& out) {
  TRY_ASSIGN(const json::value* list, reader.need("bookkeepers"));
  if (!list->is_array()) return bad("bookkeepers", "must be a list");
  const json::array& items = list->get_array();
  if (items.empty() || items.size() > kMaxBookkeepers)
    return bad("bookkeepers", fmt::format("must have 1 to {} entries", kMaxBookkeepers));
  std::set<Ed25519PublicKey> keys;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string path = fmt::format("bookkeepers[{}]", i);
    TRY_ASSIGN(const json::object* object, as_object(items[i], path));
    Reader item(*object, path);
    Genesis::Bookkeeper keeper;
    TRY_ASSIGN(const std::string key, item.text("key", 66, true));
    auto parsed = fixed_from_hex<Ed25519PublicKey>(key);
    if (!parsed) return bad(item.key("key"), parsed.error().message);
    keeper.key = *parsed;
    if (!keys.insert(keeper.key).second) return bad(item.key("key"), "appears twice");
    TRY_ASSIGN(keeper.account, item.address("account"));
    TRY_ASSIGN(keeper.endpoint, item.text("endpoint", kMaxEndpointBytes, false));
    TRY(item.expect_end());
    out.bookkeepers.push_back(std::move(keeper));
  }
  return {};
}

Result<> read_balances(Reader& reader, Genesis& out) {
  const json::value* value = reader.find("balances");
  if (value == nullptr) return {};
  TRY_ASSIGN(const json::object* object, as_object(*value, "balances"));
  uint256 total;
  for (const auto& item : *object) {
    const std::string path = fmt::format("balances[{}]", std::string(item.key()));
    auto address = crypto::parse_address(item.key());
    if (!address) return bad(path, address.error().message);
    if (!item.value().is_string()) return bad(path, "must be a string of wei, such as \"1000000000000000000\"");
    auto amount = uint256::parse(item.value().get_string());
    if (!amount) return bad(path, amount.error().message);
    if (!out.balances.emplace(*address, *amount).second) return bad(path, "appears twice");
    if (add_overflows(total, *amount, total)) return bad("balances", "the sum exceeds 256 bits");
  }
  return {};
}

Result<> read_market(Reader& reader, MarketParams& out) {
  const json::value* value = reader.find("market");
  if (value == nullptr) return {};
  TRY_ASSIGN(const json::object* object, as_object(*value, "market"));
  Reader item(*object, "market");
  for (const MarketKey& key : kMarketKeys) TRY(item.integer(key.name, out.*(key.member), key.min, key.max));
  TRY(item.amount("minWorkerBond", out.min_worker_bond));
  return item.expect_end();
}

Result<> read_names(Reader& reader, std::optional<NameParams>& out) {
  const json::value* value = reader.find("names");
  if (value == nullptr) return {};
  TRY_ASSIGN(const json::object* object, as_object(*value, "names"));
  Reader item(*object, "names");
  NameParams params;
  for (const NameKey& key : kNameKeys) TRY(item.integer(key.name, params.*(key.member), key.min, key.max));
  for (const NamePrice& key : kNamePrices) {
    TRY(item.amount(key.name, params.*(key.member)));
    if (!(params.*(key.member) >> 128U).is_zero()) return bad(item.key(key.name), "must be below 2^128 wei");
  }
  TRY(item.expect_end());
  if (params.min_commitment_age_s >= params.max_commitment_age_s)
    return bad("names.maxCommitmentAgeS", "must be above minCommitmentAgeS");
  if (params.min_duration_s > params.max_duration_s) return bad("names.maxDurationS", "must not be below minDurationS");
  out = params;
  return {};
}

Result<Genesis> read_genesis(const json::value& root) {
  TRY_ASSIGN(const json::object* object, as_object(root, "(whole file)"));
  Reader reader(*object, "");
  Genesis out;
  std::uint64_t version = 0;
  TRY(reader.integer("version", version, kVersion, kVersion, true));
  // EIP-155: v = chain_id * 2 + 36 must fit common 64-bit parsers.
  TRY(reader.integer("chainId", out.chain_id, 1, UINT64_MAX / 2 - 36, true));
  TRY_ASSIGN(out.name, reader.text("name", kMaxNameBytes, false));
  TRY(reader.integer("timestamp", out.timestamp, 0, UINT64_MAX / 2, true));
  TRY(reader.integer("gasLimit", out.gas_limit, kMinGasLimit, UINT64_MAX / 1024));
  TRY(reader.amount("baseFee", out.base_fee));
  TRY(reader.amount("minBaseFee", out.min_base_fee));
  TRY(reader.integer("blockIntervalMs", out.block_interval_ms, 1, 3'600'000));
  TRY(reader.integer("idleIntervalMs", out.idle_interval_ms, 1, 3'600'000));
  TRY(read_bookkeepers(reader, out));
  TRY(read_balances(reader, out));
  TRY_ASSIGN(out.foundation, reader.address("foundation"));
  TRY(read_market(reader, out.market));
  TRY(read_names(reader, out.names));
  TRY(reader.expect_end());
  return out;
}

void pretty(std::string& out, const json::value& value, std::size_t depth) {
  const std::string indent(2 * depth, ' ');
  if (value.is_object() && !value.get_object().empty()) {
    out += "{\n";
    std::size_t left = value.get_object().size();
    for (const auto& item : value.get_object()) {
      out += indent + "  " + json::serialize(json::value(item.key())) + ": ";
      pretty(out, item.value(), depth + 1);
      out += --left == 0 ? "\n" : ",\n";
    }
    out += indent + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += "[\n";
    std::size_t left = value.get_array().size();
    for (const auto& item : value.get_array()) {
      out += indent + "  ";
      pretty(out, item, depth + 1);
      out += --left == 0 ? "\n" : ",\n";
    }
    out += indent + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string Genesis::to_json() const {
  json::object root;
  root["version"] = kVersion;
  root["chainId"] = chain_id;
  root["name"] = name;
  root["timestamp"] = timestamp;
  root["gasLimit"] = gas_limit;
  root["baseFee"] = base_fee.to_decimal();
  root["minBaseFee"] = min_base_fee.to_decimal();
  root["blockIntervalMs"] = block_interval_ms;
  root["idleIntervalMs"] = idle_interval_ms;
  json::array keepers;
  for (const Bookkeeper& keeper : bookkeepers) {
    json::object item;
    item["key"] = to_hex0x(keeper.key);
    item["account"] = crypto::to_checksum(keeper.account);
    item["endpoint"] = keeper.endpoint;
    keepers.push_back(std::move(item));
  }
  root["bookkeepers"] = std::move(keepers);
  json::object funds;
  for (const auto& [address, amount] : balances) funds[crypto::to_checksum(address)] = amount.to_decimal();
  root["balances"] = std::move(funds);
  root["foundation"] = crypto::to_checksum(foundation);
  json::object params;
  for (const MarketKey& key : kMarketKeys) params[key.name] = market.*(key.member);
  params["minWorkerBond"] = market.min_worker_bond.to_decimal();
  root["market"] = std::move(params);
  if (names) {  // absent, not null: files of chains without names keep their text and hash
    json::object section;
    for (const NameKey& key : kNameKeys) section[key.name] = (*names).*(key.member);
    for (const NamePrice& key : kNamePrices) section[key.name] = ((*names).*(key.member)).to_decimal();
    root["names"] = std::move(section);
  }
  std::string out;
  pretty(out, root, 0);
  out += "\n";
  return out;
}

Result<Genesis> Genesis::from_json(std::string_view text) {
  if (text.size() > kMaxBytes) return fail(ErrorCode::kInvalid, fmt::format("genesis file above {} bytes", kMaxBytes));
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 8;
  const json::value root = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(ErrorCode::kInvalid, "genesis file is not JSON: " + error.message());
  return read_genesis(root);
}

Hash32 Genesis::validators_hash() const {
  rlp::Encoder e;
  e.begin_list();
  for (const Bookkeeper& keeper : bookkeepers) e.bytes(keeper.key);
  e.end_list();
  return crypto::keccak256(e.take());
}

}  // namespace bonus::chain
