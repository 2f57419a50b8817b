// Text and JSON forms of market values; parsing of flags.
#include "bonus/cli/format.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <ctime>

#include "bonus/base/parse.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;
constexpr std::uint64_t kSecondsPerHour = 3600;
constexpr std::array<std::string_view, 3> kTiers{"lite", "normal", "super"};

}  // namespace

std::string short_bnc(const uint256& wei, unsigned digits) {
  constexpr unsigned kDecimals = 18;
  const std::string text = format_bnc(wei);
  const auto point = text.find('.');
  if (point == std::string::npos) return text;
  // Leading zeros behind the point do not count when the whole part is zero.
  std::size_t first = point + 1;
  if (text.starts_with("0."))
    while (first < text.size() && text[first] == '0') ++first;
  const auto keep = static_cast<unsigned>(first - point - 1) + digits;
  if (keep >= kDecimals) return text;
  const uint256 unit = exp(uint256(10), uint256(kDecimals - keep));
  return format_bnc((wei + unit / uint256(2)) / unit * unit);
}

std::string price_per_hour(const uint256& wei_per_second) {
  return short_bnc(wei_per_second * uint256(kSecondsPerHour), 4) + " BNC/h";
}

std::string short_address(const Address& address) {
  const std::string text = crypto::to_checksum(address);
  return text.substr(0, 6) + "..." + text.substr(38);
}

std::string short_hash(BytesView hash) { return to_hex(hash).substr(0, 12); }

std::string seconds_text(std::uint64_t seconds) {
  struct UnitName {
    std::uint64_t seconds;
    std::string_view name;
  };
  constexpr std::array<UnitName, 4> kUnits{{{86'400, "d"}, {3'600, "h"}, {60, "m"}, {1, "s"}}};
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (seconds < kUnits[i].seconds) continue;
    std::string out = fmt::format("{}{}", seconds / kUnits[i].seconds, kUnits[i].name);
    if (i + 1 < kUnits.size())
      if (const auto rest = seconds % kUnits[i].seconds / kUnits[i + 1].seconds; rest != 0)
        out += fmt::format("{}{}", rest, kUnits[i + 1].name);
    return out;
  }
  return "0s";
}

std::string age(UnixSeconds since, UnixSeconds now) {
  return since == 0 ? "-" : seconds_text(now > since ? now - since : 0);
}

std::string utc_text(UnixSeconds time) {
  if (time == 0) return "-";
  const auto value = static_cast<std::time_t>(time);
  std::tm fields{};
  if (gmtime_r(&value, &fields) == nullptr) return std::to_string(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}Z", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                     fields.tm_hour, fields.tm_min, fields.tm_sec);
}

std::string tier_text(std::uint8_t tier) {
  return tier < kTiers.size() ? std::string(kTiers[tier]) : std::to_string(tier);
}

std::string resources_text(const market::Resources& in) {
  return fmt::format("{}m {} {}", in.cpu_millis, format_size(std::uint64_t{in.memory_mib} << 20),
                     format_size(std::uint64_t{in.disk_mib} << 20));
}

Result<std::int8_t> parse_tier(std::string_view text) {
  if (text == "any") return std::int8_t{-1};
  for (std::size_t i = 0; i < kTiers.size(); ++i)
    if (kTiers[i] == text) return static_cast<std::int8_t>(i);
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a tier: any, lite, normal, super", text));
}

Result<std::uint8_t> parse_runtime(std::string_view text) {
  if (text == "runc") return std::uint8_t{0};
  if (text == "gvisor" || text == "vm")
    return fail(ErrorCode::kUnsupported,
                fmt::format("the runtime \"{}\" is not offered by this version; use runc", text));
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a runtime; use runc", text));
}

Result<std::uint16_t> parse_royalty(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a share such as 5%, 2.5% or 250bps", text));
  };
  std::string_view number = text;
  unsigned decimals = 2;
  if (number.ends_with("bps")) {
    number.remove_suffix(3);
    decimals = 0;
  } else if (number.ends_with('%')) {
    number.remove_suffix(1);
  } else {
    return bad();
  }
  const auto point = number.find('.');
  std::string digits(number.substr(0, point));
  std::string rest(point == std::string_view::npos ? std::string_view() : number.substr(point + 1));
  if (digits.empty() || (point != std::string_view::npos && rest.empty()) || rest.size() > decimals) return bad();
  rest.resize(decimals, '0');
  digits += rest;
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad();
  if (out > 10'000) return fail(ErrorCode::kInvalid, fmt::format("{} is more than 100%", text));
  return static_cast<std::uint16_t>(out);
}

Result<uint256> parse_hourly_price(std::string_view text) {
  TRY_ASSIGN(const auto wei, parse_bnc(text));
  if (wei.is_zero()) return fail(ErrorCode::kInvalid, "a price of zero matches nothing");
  const uint256 out = wei / uint256(kSecondsPerHour);
  if (out.bit_length() > 128) return fail(ErrorCode::kInvalid, fmt::format("{} BNC per hour is too much", text));
  return out.is_zero() ? uint256(1) : out;
}

Result<std::uint32_t> parse_mebibytes(std::string_view text) {
  TRY_ASSIGN(const auto bytes, parse_size(text));
  constexpr std::uint64_t kMiB = 1 << 20;
  const std::uint64_t out = bytes / kMiB + (bytes % kMiB == 0 ? 0 : 1);
  if (out == 0 || out > (1U << 26))
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is outside 1Mi to 64Ti", text));
  return static_cast<std::uint32_t>(out);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out == 0)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a port (1 to 65535)", text));
  return out;
}

Result<PublishPort> parse_publish(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not HERE:THERE such as 8080:80 (your port, the container's port)", text));
  PublishPort out;
  const std::string_view here = text.substr(0, colon);
  if (here != "0") {
    TRY_ASSIGN(out.listen, parse_port(here));
  }
  TRY_ASSIGN(out.port, parse_port(text.substr(colon + 1)));
  return out;
}

Result<std::pair<std::string, std::string>> parse_env(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not KEY=VALUE", text));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

std::pair<std::string, std::string> split_image(std::string_view text) {
  const auto slash = text.rfind('/');
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash))
    return {std::string(text), "latest"};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

json::object to_json(const market::Resources& in) {
  return {{"cpu_millis", in.cpu_millis}, {"memory_mib", in.memory_mib}, {"disk_mib", in.disk_mib}};
}

json::object to_json(const market::Offer& in) {
  return {{"id", in.id},
          {"worker", crypto::to_checksum(in.worker)},
          {"node_id", to_hex(in.node_id)},
          {"active", in.active},
          {"capacity", to_json(in.spec.capacity)},
          {"used", to_json(in.used)},
          {"running_leases", in.running_leases},
          {"prices",
           {{"cpu_milli_second", in.spec.prices.cpu.to_decimal()},
            {"memory_mib_second", in.spec.prices.memory.to_decimal()},
            {"disk_mib_second", in.spec.prices.disk.to_decimal()}}},
          {"tier", tier_text(in.spec.tier)},
          {"region", in.spec.region},
          {"runtimes", in.spec.runtimes},
          {"available_until", in.spec.available_until}};
}

json::object to_json(const market::Order& in) {
  return {{"id", in.id},
          {"user", crypto::to_checksum(in.user)},
          {"state", to_string(in.state)},
          {"image", in.spec.image},
          {"image_digest", "sha256:" + to_hex(in.spec.image_digest)},
          {"workload", to_hex(in.spec.workload)},
          {"resources", to_json(in.spec.resources)},
          {"replicas", in.spec.replicas},
          {"live_replicas", in.live_replicas},
          {"region", in.spec.region},
          {"min_tier", in.spec.min_tier < 0 ? "any" : tier_text(static_cast<std::uint8_t>(in.spec.min_tier))},
          {"max_price_per_second", in.spec.max_price_per_second.to_decimal()},
          {"duration_s", in.spec.duration},
          {"developer", crypto::to_checksum(in.spec.developer)},
          {"royalty_bps", in.spec.royalty_bps},
          {"distinct_operators", in.spec.distinct_operators},
          {"escrow", in.escrow.to_decimal()},
          {"created_at", in.created_at},
          {"explanation", in.explanation}};
}

json::object to_json(const market::Lease& in) {
  json::array ports;
  for (const auto port : in.ports) ports.emplace_back(port);
  return {{"id", in.id},
          {"order", in.order_id},
          {"offer", in.offer_id},
          {"user", crypto::to_checksum(in.user)},
          {"worker", crypto::to_checksum(in.worker)},
          {"node_id", to_hex(in.node_id)},
          {"state", to_string(in.state)},
          {"reason", to_string(in.reason)},
          {"detail", in.detail},
          {"price_per_second", in.price_per_second.to_decimal()},
          {"matched_at", in.matched_at},
          {"started_at", in.started_at},
          {"settled_until", in.settled_until},
          {"ended_at", in.ended_at},
          {"paid_total", in.paid_total.to_decimal()},
          {"paid_worker", in.paid_worker.to_decimal()},
          {"paid_developer", in.paid_developer.to_decimal()},
          {"paid_foundation", in.paid_foundation.to_decimal()},
          {"ports", std::move(ports)}};
}

json::object to_json(const market::Explanation& in) {
  return {{"offers", in.offers},
          {"matching", in.matching},
          {"expected_price_per_second", in.expected_price_per_second.to_decimal()},
          {"dimension", in.dimension},
          {"asked", in.asked.to_decimal()},
          {"best", in.best.to_decimal()},
          {"advice", in.advice}};
}

json::object to_json(const market::Node& in) {
  return {{"id", to_hex(in.node_id)},
          {"account", crypto::to_checksum(in.account)},
          {"key", to_hex(in.node_key)},
          {"tier", tier_text(in.tier)},
          {"region", in.region},
          {"endpoint", in.endpoint},
          {"bond", in.bond.to_decimal()},
          {"registered_at", in.registered_at},
          {"last_heartbeat", in.last_heartbeat},
          {"interruptions", in.interruptions},
          {"penalty_bps", in.penalty_bps},
          {"active", in.active}};
}

}  // namespace bonus::cli
