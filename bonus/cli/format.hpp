// How the command line writes amounts, prices, times and market values, and reads what people type.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/market.hpp"

namespace bonus::cli {

/// At most `digits` decimals (behind the leading zeros of an amount below one), rounded: "0.0147", "0.003333".
[[nodiscard]] std::string short_bnc(const uint256& wei, unsigned digits = 6);
/// Of a price in wei per second: "0.0147 BNC/h".
[[nodiscard]] std::string price_per_hour(const uint256& wei_per_second);
/// "0x1234...abcd".
[[nodiscard]] std::string short_address(const Address& address);
/// First 12 hexadecimal digits.
[[nodiscard]] std::string short_hash(BytesView hash);
/// "3m12s" between two unix times, at most two units.
[[nodiscard]] std::string age(UnixSeconds since, UnixSeconds now);
[[nodiscard]] std::string seconds_text(std::uint64_t seconds);
/// "2020-01-02 03:04:05Z"; "-" for 0.
[[nodiscard]] std::string utc_text(UnixSeconds time);
[[nodiscard]] std::string tier_text(std::uint8_t tier);                               ///< "lite", "normal", "super".
[[nodiscard]] std::string resources_text(const chain::market::Resources& resources);  ///< "500m 256Mi 1Gi".

/// "any", "lite", "normal", "super" as IMarket's minTier. kInvalid.
[[nodiscard]] Result<std::int8_t> parse_tier(std::string_view text);
/// "runc". kUnsupported for classes that this version has not.
[[nodiscard]] Result<std::uint8_t> parse_runtime(std::string_view text);
/// "5%", "2.5%", "250bps" as basis points. kInvalid above 100%.
[[nodiscard]] Result<std::uint16_t> parse_royalty(std::string_view text);
/// BNC per hour as wei per second, rounded down but not to zero.
[[nodiscard]] Result<uint256> parse_hourly_price(std::string_view text);
/// Sizes in whole MiB (rounded up). kInvalid when zero or too large.
[[nodiscard]] Result<std::uint32_t> parse_mebibytes(std::string_view text);
struct PublishPort {
  std::uint16_t listen = 0, port = 0;
};
/// "8080:80", or "0:80" for any free port. kInvalid.
[[nodiscard]] Result<PublishPort> parse_publish(std::string_view text);
/// "KEY=VALUE". kInvalid.
[[nodiscard]] Result<std::pair<std::string, std::string>> parse_env(std::string_view text);
[[nodiscard]] Result<std::uint16_t> parse_port(std::string_view text);
/// Splits "NAME[:TAG]" at the last colon after the last slash; the tag is "latest" when absent.
[[nodiscard]] std::pair<std::string, std::string> split_image(std::string_view text);

/// Numbers above 2^53 and amounts are decimal strings, hashes and addresses "0x..." strings.
[[nodiscard]] boost::json::object to_json(const chain::market::Resources& in);
[[nodiscard]] boost::json::object to_json(const chain::market::Offer& in);
[[nodiscard]] boost::json::object to_json(const chain::market::Order& in);
[[nodiscard]] boost::json::object to_json(const chain::market::Lease& in);
[[nodiscard]] boost::json::object to_json(const chain::market::Explanation& in);
[[nodiscard]] boost::json::object to_json(const chain::market::Node& in);

}  // namespace bonus::cli
