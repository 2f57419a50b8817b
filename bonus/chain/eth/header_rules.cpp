// Header validity.
#include "bonus/chain/eth/header_rules.hpp"

#include <fmt/format.h>

#include <set>

#include "bonus/chain/api/ethereum_block.hpp"

namespace bonus::chain::eth {
namespace {

constexpr std::uint64_t kMinimumDifficulty = 131'072;
constexpr std::uint64_t kDifficultyDivisor = 2'048;
constexpr std::uint64_t kBombPeriod = 100'000;
constexpr std::uint64_t kInitialBaseFee = 1'000'000'000;
constexpr std::uint64_t kGasLimitDivisor = 1'024;
constexpr std::uint64_t kMinimumGasLimit = 5'000;
constexpr std::size_t kMaxExtraBytes = 32;
constexpr std::size_t kMaxOmmers = 2;
constexpr std::size_t kOmmerGenerations = 7;

std::unexpected<Error> wrong(const char* field, const std::string& why) {
  return fail(ErrorCode::kInvalid, fmt::format("header field {}: {}", field, why));
}

std::unexpected<Error> differs(const char* field, const auto& have, const auto& want) {
  return wrong(field, fmt::format("have {}, want {}", have, want));
}

/// How many steps of 1/2048 the difficulty rises (or falls, when negative) after `seconds`.
std::int64_t steps(std::uint64_t seconds, const Header& parent, const Rules& rules) {
  if (!rules.since(Revision::kHomestead)) return seconds < 13 ? 1 : -1;
  const bool byzantium = rules.since(Revision::kByzantium);
  const std::int64_t up = byzantium && parent.ommers_hash != kEmptyOmmersHash ? 2 : 1;  // EIP-100
  const std::uint64_t down = seconds / (byzantium ? 9 : 10);
  return down > 100 ? -99 : std::max<std::int64_t>(up - static_cast<std::int64_t>(down), -99);
}

Result<> check_gas_limit(const Header& header, const Header& parent, const Rules& rules) {
  // EIP-1559: the limit doubles once, so that the target is what the limit was.
  const std::uint64_t before = rules.fork_block_of_london ? parent.gas_limit * 2 : parent.gas_limit;
  const std::uint64_t distance = header.gas_limit > before ? header.gas_limit - before : before - header.gas_limit;
  if (distance >= before / kGasLimitDivisor)
    return wrong("gasLimit", fmt::format("{} is too far from the parent's {}", header.gas_limit, before));
  if (header.gas_limit < kMinimumGasLimit || header.gas_limit > INT64_MAX)
    return wrong("gasLimit", fmt::format("{} is out of bounds", header.gas_limit));
  if (header.gas_used > header.gas_limit)
    return wrong("gasUsed", fmt::format("{} is above the limit {}", header.gas_used, header.gas_limit));
  return {};
}

Result<> check_appended_fields(const Header& header, const Header& parent, const Rules& rules) {
  if (header.form != rules.form) {
    return fail(ErrorCode::kInvalid, fmt::format("header has {} fields, but {} has {}", static_cast<int>(header.form),
                                                 to_string(rules.revision), static_cast<int>(rules.form)));
  }
  if (header.has(HeaderForm::kLondon)) {
    const uint256 want = next_base_fee(parent, rules);
    if (header.base_fee != want) return differs("baseFeePerGas", header.base_fee.to_decimal(), want.to_decimal());
  }
  if (header.has(HeaderForm::kCancun)) {
    const std::uint64_t want = next_excess_blob_gas(parent, rules);
    if (header.excess_blob_gas != want) return differs("excessBlobGas", header.excess_blob_gas, want);
    if (header.blob_gas_used % kGasPerBlob != 0 || header.blob_gas_used > kGasPerBlob * rules.blobs.max)
      return wrong("blobGasUsed",
                   fmt::format("{} is not what up to {} blobs use", header.blob_gas_used, rules.blobs.max));
  }
  return {};
}

}  // namespace

uint256 next_difficulty(const Header& parent, UnixSeconds timestamp, const Rules& rules) {
  const uint256 step = parent.difficulty / uint256(kDifficultyDivisor);
  const std::int64_t count = steps(timestamp - parent.timestamp, parent, rules);
  uint256 out = parent.difficulty;
  if (count >= 0) {
    out += step * uint256(static_cast<std::uint64_t>(count));
  } else {
    out -= step * uint256(static_cast<std::uint64_t>(-count));  // at most 99/2048 of it
  }
  out = std::max(out, uint256(kMinimumDifficulty));
  const std::uint64_t number = parent.number + 1;
  const std::uint64_t period = (number > rules.bomb_delay ? number - rules.bomb_delay : 0) / kBombPeriod;
  if (period > 1) out += uint256(1) << static_cast<unsigned>(std::min<std::uint64_t>(period - 2, 255));
  return out;
}

uint256 next_base_fee(const Header& parent, const Rules& rules) {
  if (!rules.since(Revision::kLondon)) return {};
  if (!parent.has(HeaderForm::kLondon)) return uint256(kInitialBaseFee);
  // A genesis without a minimum: the rule of EIP-1559 alone.
  Header before = parent;
  before.number = std::max<std::uint64_t>(parent.number, 1);
  return chain::next_base_fee(before, Genesis());
}

std::uint64_t next_excess_blob_gas(const Header& parent, const Rules& rules) {
  if (!rules.since(Revision::kCancun)) return 0;
  const bool market = parent.has(HeaderForm::kCancun);
  return chain::next_excess_blob_gas(market ? parent.excess_blob_gas : 0, market ? parent.blob_gas_used : 0,
                                     parent.base_fee, rules.revision, rules.blobs);
}

Result<> check_header(const Header& header, const Header& parent, const ChainConfig& config) {
  const Rules rules = config.of(header);
  if (header.number != parent.number + 1) return differs("number", header.number, parent.number + 1);
  if (header.timestamp <= parent.timestamp)
    return wrong("timestamp", fmt::format("{} is not after the parent's {}", header.timestamp, parent.timestamp));
  if (header.extra_data.size() > kMaxExtraBytes)
    return wrong("extraData", fmt::format("{} bytes, at most {}", header.extra_data.size(), kMaxExtraBytes));
  TRY(check_gas_limit(header, parent, rules));
  if (rules.since(Revision::kParis)) {
    if (!header.difficulty.is_zero()) return differs("difficulty", header.difficulty.to_decimal(), 0);
    if (header.nonce != 0) return differs("nonce", header.nonce, 0);
    if (header.ommers_hash != kEmptyOmmersHash)
      return differs("sha3Uncles", to_hex0x(header.ommers_hash), to_hex0x(kEmptyOmmersHash));
  } else if (const uint256 want = next_difficulty(parent, header.timestamp, rules); header.difficulty != want) {
    return differs("difficulty", header.difficulty.to_decimal(), want.to_decimal());
  }
  return check_appended_fields(header, parent, rules);
}

Result<> check_merge(const Header& header, const uint256& parent_total_difficulty, const ChainConfig& config) {
  const bool merged = config.terminal_total_difficulty && parent_total_difficulty >= *config.terminal_total_difficulty;
  if (merged == header.difficulty.is_zero()) return {};
  return wrong("difficulty", merged ? "a proof-of-work block behind the terminal total difficulty"
                                    : "a proof-of-stake block before the terminal total difficulty");
}

Result<> check_ommers(const Block& block, const Ancestor& parent, const ChainConfig& config, const Ancestry& ancestry) {
  if (block.ommers.empty()) return {};
  if (block.ommers.size() > kMaxOmmers)
    return fail(ErrorCode::kInvalid, fmt::format("{} ommers, at most {}", block.ommers.size(), kMaxOmmers));
  std::vector<Ancestor> line{parent};
  while (line.size() < kOmmerGenerations && line.back().header.number > 0) {
    auto above = ancestry.ancestor(line.back().header.parent_hash);
    if (!above) break;
    line.push_back(*std::move(above));
  }
  std::set<Hash32> taken{block.header.hash()};
  for (const Ancestor& ancestor : line) {
    taken.insert(ancestor.hash);
    for (const Header& ommer : ancestor.ommers) taken.insert(ommer.hash());
  }
  for (std::size_t i = 0; i < block.ommers.size(); ++i) {
    const Header& ommer = block.ommers[i];
    if (!taken.insert(ommer.hash()).second)
      return fail(ErrorCode::kInvalid, fmt::format("ommer {}: an ancestor, or included before", i));
    const auto above = std::ranges::find(line, ommer.parent_hash, &Ancestor::hash);
    if (above == line.end() || ommer.parent_hash == parent.hash)
      return fail(ErrorCode::kInvalid, fmt::format("ommer {}: its parent is not an ancestor of the parent", i));
    auto checked = check_header(ommer, above->header, config);
    if (!checked) return fail(std::move(checked).error().wrap(fmt::format("ommer {}", i)));
  }
  return {};
}

}  // namespace bonus::chain::eth
