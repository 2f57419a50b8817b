// Exact decimal parsing: a number is digits with a power of ten, multiplied by its unit in 256-bit integers.
#include "bonus/base/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace bonus {
namespace {

constexpr std::size_t kMaxText = 128;
constexpr std::uint64_t kNanosPerMilli = 1'000'000;
constexpr std::uint64_t kNanosPerSecond = 1'000 * kNanosPerMilli;
constexpr std::uint64_t kNanosPerDay = 86'400 * kNanosPerSecond;
constexpr std::uint64_t kMaxDurationDays = 36'500;
constexpr std::uint64_t kMaxMilliCpu = 65'536'000;

struct UnitName {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kDurationUnits{
    UnitName{"ms", kNanosPerMilli},        UnitName{"s", kNanosPerSecond}, UnitName{"m", 60 * kNanosPerSecond},
    UnitName{"h", 3600 * kNanosPerSecond}, UnitName{"d", kNanosPerDay},
};
constexpr std::array kSizeUnits{
    UnitName{"", 1},
    UnitName{"Ki", 1ULL << 10},
    UnitName{"Mi", 1ULL << 20},
    UnitName{"Gi", 1ULL << 30},
    UnitName{"Ti", 1ULL << 40},
    UnitName{"Pi", 1ULL << 50},
    UnitName{"k", 1'000},
    UnitName{"K", 1'000},
    UnitName{"M", 1'000'000},
    UnitName{"G", 1'000'000'000},
    UnitName{"T", 1'000'000'000'000},
    UnitName{"P", 1'000'000'000'000'000},
};
constexpr std::array kCpuUnits{UnitName{"", 1000}, UnitName{"m", 1}};
constexpr std::array kMoneyUnits{
    UnitName{"", 1'000'000'000'000'000'000ULL},
    UnitName{"bnc", 1'000'000'000'000'000'000ULL},
    UnitName{"gwei", 1'000'000'000},
    UnitName{"wei", 1},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view take_while(std::string_view& text, bool (*keep)(char)) {
  const auto end = std::ranges::find_if_not(text, keep);
  const std::string_view out = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(out.size());
  return out;
}

/// digits / 10^decimals
struct Decimal {
  uint256 digits;
  unsigned decimals = 0;
};

/// Digits with at most one point, at least one digit; takes them from the front. Trailing zeros behind the point do not
/// count as precision.
std::optional<Decimal> take_decimal(std::string_view& text) {
  const std::string_view whole = take_while(text, is_digit);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_while(text, is_digit);
    if (fraction.empty()) return std::nullopt;
  }
  if (whole.empty()) return std::nullopt;
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  const auto digits = uint256::parse(std::string(whole) + std::string(fraction));
  if (!digits) return std::nullopt;
  return Decimal{*digits, static_cast<unsigned>(fraction.size())};
}

/// decimal * factor when that is a whole number of at most 256 bits.
std::optional<uint256> scale(Decimal decimal, std::uint64_t factor) {
  // Cancelling tens first keeps the product as small as the result where the factor is a power of ten.
  for (; decimal.decimals > 0 && factor % 10 == 0; --decimal.decimals) factor /= 10;
  uint256 product;
  if (mul_overflows(decimal.digits, uint256(factor), product)) return std::nullopt;
  for (; decimal.decimals > 0; --decimal.decimals) {
    const DivMod parts = div_mod(product, uint256(10U));
    if (!parts.remainder.is_zero()) return std::nullopt;
    product = parts.quotient;
  }
  return product;
}

std::unexpected<Error> bad(std::string_view what, std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalid, fmt::format("{} '{}': {}", what, text.substr(0, kMaxText), why));
}

/// One number with one unit of the table, and nothing else.
Result<uint256> parse_quantity(std::string_view what, std::string_view text, std::span<const UnitName> units,
                               std::string_view examples, bool blank_allowed) {
  std::string_view rest = text;
  if (text.size() > kMaxText) return bad(what, text, "too long");
  const auto number = take_decimal(rest);
  if (!number) return bad(what, text, fmt::format("write it like {}", examples));
  if (blank_allowed && rest.starts_with(' ')) rest.remove_prefix(1);
  const auto unit = std::ranges::find(units, rest, &UnitName::name);
  if (unit == units.end()) return bad(what, text, fmt::format("unknown unit '{}'; write it like {}", rest, examples));
  const auto value = scale(*number, unit->factor);
  if (!value) return bad(what, text, "too large, or with more decimals than the smallest unit has");
  return *value;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::string_view kWhat = "duration";
  constexpr std::string_view kExamples = "250ms, 90s, 5m, 1h30m or 2d";
  if (text == "0") return Duration::zero();
  if (text.empty() || text.size() > kMaxText) return bad(kWhat, text, fmt::format("write it like {}", kExamples));
  constexpr uint256 kLimit{kMaxDurationDays * kNanosPerDay};
  uint256 total;
  for (std::string_view rest = text; !rest.empty();) {
    const auto number = take_decimal(rest);
    const std::string_view name = take_while(rest, is_letter);
    if (!number || name.empty()) return bad(kWhat, text, fmt::format("write it like {}", kExamples));
    const auto unit = std::ranges::find(kDurationUnits, name, &UnitName::name);
    if (unit == kDurationUnits.end()) {
      return bad(kWhat, text, fmt::format("unknown unit '{}'; use ms, s, m, h or d", name));
    }
    const auto part = scale(*number, unit->factor);
    if (!part || *part > kLimit) return bad(kWhat, text, "longer than 36500 days, or finer than a nanosecond");
    total += *part;
    if (total > kLimit) return bad(kWhat, text, "longer than 36500 days");
  }
  return Duration(static_cast<std::int64_t>(total.low64()));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  TRY_ASSIGN(const uint256 bytes, parse_quantity("size", text, kSizeUnits, "256Mi, 1.5Gi, 10M or 4096", false));
  if (!bytes.fits_u64()) return bad("size", text, "too large");
  return bytes.low64();
}

Result<MilliCpu> parse_cpu(std::string_view text) {
  TRY_ASSIGN(const uint256 milli, parse_quantity("cpu", text, kCpuUnits, "500m, 2 or 1.5", false));
  if (milli.is_zero() || milli > uint256(kMaxMilliCpu)) return bad("cpu", text, "must be from 1m to 65536 cores");
  return MilliCpu(static_cast<std::uint32_t>(milli.low64()));
}

Result<uint256> parse_bnc(std::string_view text) {
  std::string lower(text.substr(0, kMaxText + 1));
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return parse_quantity("amount", lower, kMoneyUnits, "1.5, 0.25 bnc, 100 gwei or 7 wei", true);
}

std::string format_bnc(const uint256& wei) {
  const DivMod parts = div_mod(wei, kWeiPerBnc);
  std::string out = parts.quotient.to_decimal();
  if (parts.remainder.is_zero()) return out;
  out += fmt::format(".{:018}", parts.remainder.low64());
  while (out.ends_with('0')) out.pop_back();
  return out;
}

std::string format_size(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  constexpr std::array<std::string_view, 6> kNames{"", "Ki", "Mi", "Gi", "Ti", "Pi"};
  std::size_t unit = 0;
  while (unit + 1 < kNames.size() && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kNames[unit]);
}

std::string format_duration(Duration duration) {
  const std::int64_t count = duration.count();
  const std::uint64_t nanos =
      count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  std::string out = count < 0 ? "-" : "";
  if (nanos == 0) return "0s";
  if (nanos < kNanosPerMilli) return out + "<1ms";
  std::uint64_t rest = nanos / kNanosPerMilli;
  constexpr std::array kParts{UnitName{"d", 86'400'000}, UnitName{"h", 3'600'000}, UnitName{"m", 60'000},
                              UnitName{"s", 1'000}, UnitName{"ms", 1}};
  for (const UnitName& part : kParts) {
    if (rest >= part.factor) out += fmt::format("{}{}", rest / part.factor, part.name);
    rest %= part.factor;
  }
  return out;
}

}  // namespace bonus
