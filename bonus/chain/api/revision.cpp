// Names of the rule sets.
#include "bonus/chain/api/revision.hpp"

#include <array>

namespace bonus::chain {
namespace {

constexpr std::array<std::string_view, kRevisionCount> kNames{
    "Frontier", "Homestead", "EIP150", "EIP158",   "Byzantium", "Constantinople", "Petersburg", "Istanbul",
    "Berlin",   "London",    "Paris",  "Shanghai", "Cancun",    "Prague",         "Osaka"};

}  // namespace

std::string_view to_string(Revision revision) { return kNames[static_cast<std::size_t>(revision)]; }

std::optional<Revision> revision_from(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Revision>(i);
  if (name == "TangerineWhistle") return Revision::kTangerineWhistle;
  if (name == "SpuriousDragon") return Revision::kSpuriousDragon;
  if (name == "ConstantinopleFix") return Revision::kPetersburg;
  if (name == "Merge") return Revision::kParis;
  return std::nullopt;
}

}  // namespace bonus::chain
