// Where every variable of Names lies: the C++ form of the listing in docs/formats/names.md.
#pragma once

#include "bonus/chain/contracts/storage.hpp"

namespace bonus::chain::contracts::names_layout {

inline constexpr std::uint64_t kNames = 0;        ///< Name[] names; id = position + 1.
inline constexpr std::uint64_t kIndexOf = 1;      ///< mapping(bytes32 keccak(name) => uint256): position in names + 1.
inline constexpr std::uint64_t kCommittedAt = 2;  ///< mapping(bytes32 => uint64).
inline constexpr std::uint64_t kNamesOf = 3;      ///< mapping(address => uint64[]): ids.
inline constexpr std::uint64_t kReverseOf = 4;    ///< mapping(bytes16 => Reverse).

inline constexpr unsigned kNameWords = 4;
inline constexpr Field kOwner{0, 0, 20}, kExpires{0, 20, 8}, kRevision{0, 28, 4};
inline constexpr Field kOperator{1, 0, 20}, kRegisteredAt{1, 20, 8}, kPlace{1, 28, 4};
inline constexpr unsigned kName = 2, kRecords = 3;

inline constexpr Field kReverseName{0, 0, 8}, kReverseOwner{0, 8, 20};

}  // namespace bonus::chain::contracts::names_layout
