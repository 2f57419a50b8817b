// What people write in flags and configuration files: durations, sizes, CPU shares and amounts of BNC. No floats.
#pragma once

#include <string>
#include <string_view>

#include "bonus/base/result.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/units.hpp"

namespace bonus {

/// A whole or decimal number and one of ms, s, m, h, d, or a sequence of them: "90s", "5m", "1.5h", "1h30m". "0" is
/// zero. kInvalid: empty, no unit, unknown unit, finer than a nanosecond, more than 36500 days.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// Bytes: a whole or decimal number and an optional unit, as Kubernetes writes quantities: Ki, Mi, Gi, Ti, Pi (powers
/// of 1024), k or K, M, G, T, P (powers of 1000). "256Mi", "1.5Gi", "10M", "4096". kInvalid: not a whole number of
/// bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
/// "500m" (thousandths of a core), "2", "1.5". kInvalid: finer than 0.001, zero or above 65536 cores.
[[nodiscard]] Result<MilliCpu> parse_cpu(std::string_view text);
/// Wei: a decimal number and an optional unit (bnc, gwei, wei; BNC when absent), with or without a blank: "1.5",
/// "100 gwei", "3wei". kInvalid: finer than one wei, more than 256 bits.
[[nodiscard]] Result<uint256> parse_bnc(std::string_view text);

/// Exact decimal text in BNC without trailing zeros: "1.5", "0.000000000000000001", "0".
[[nodiscard]] std::string format_bnc(const uint256& wei);
/// Shortest exact form with a binary unit: "256Mi", "1Gi", "1000".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
/// "1h30m", "90s" as "1m30s", "250ms"; below a millisecond "<1ms", zero "0s". Negative ones begin with '-'.
[[nodiscard]] std::string format_duration(Duration duration);

}  // namespace bonus
