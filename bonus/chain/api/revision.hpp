// Ethereum's rule sets ("hard forks") in the order in which mainnet adopted them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bonus::chain {

/// Forks that change execution. Later ones include the rules of the earlier ones.
enum class Revision : std::uint8_t {
  kFrontier,
  kHomestead,         ///< EIP-2, 7, 8.
  kTangerineWhistle,  ///< EIP-150.
  kSpuriousDragon,    ///< EIP-155, 160, 161, 170.
  kByzantium,         ///< EIP-140, 196, 197, 198, 211, 214, 649, 658.
  kConstantinople,    ///< EIP-145, 1014, 1052, 1234, 1283.
  kPetersburg,        ///< Without EIP-1283.
  kIstanbul,          ///< EIP-152, 1108, 1344, 1884, 2028, 2200.
  kBerlin,            ///< EIP-2565, 2718, 2929, 2930.
  kLondon,            ///< EIP-1559, 3198, 3529, 3541.
  kParis,             ///< EIP-3675, 4399.
  kShanghai,          ///< EIP-3651, 3855, 3860, 4895.
  kCancun,            ///< EIP-1153, 4788, 4844, 5656, 6780, 7516.
  kPrague,            ///< EIP-2537, 2935, 6110, 7002, 7251, 7623, 7685, 7691, 7702.
  kOsaka,             ///< EIP-7594, 7823, 7825, 7883, 7918, 7934, 7939, 7951.
};
inline constexpr std::size_t kRevisionCount = 15;
/// The rules that BonusChain runs by.
inline constexpr Revision kBonusRevision = Revision::kOsaka;

/// "Frontier", "Homestead", "EIP150", "EIP158", "Byzantium", ... as Ethereum's test suites write them.
[[nodiscard]] std::string_view to_string(Revision revision);
/// The reverse; also accepts "TangerineWhistle", "SpuriousDragon", "ConstantinopleFix", "Merge" and "Paris". Nothing
/// for a name that is none of these.
[[nodiscard]] std::optional<Revision> revision_from(std::string_view name);

}  // namespace bonus::chain
