// The ABI of the system contracts Nodes, Market and Names as data: the only place in C++ that spells their signatures
// (contracts/check_abi.mjs compares them with contracts/interfaces/*.sol), and the conversion of their structs to ABI
// values.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "bonus/chain/api/market.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::market {

/// Every function of IMarket, INodes and INames; the order is that of the tables in market_abi.cpp.
enum class Call : std::uint8_t {
  // IMarket
  kCreateOffer,
  kUpdateOffer,
  kCloseOffer,
  kLeaseStarted,
  kLeaseEnded,
  kCreateOrder,
  kTopUp,
  kStop,
  kSettle,
  kPreflight,
  kGetOffer,
  kGetOrder,
  kGetLease,
  kOfferCount,
  kOrderCount,
  kLeaseCount,
  kOffers,
  kOrders,
  kLeases,
  kOrdersOf,
  kLeasesOfOrder,
  kLiveLeasesOf,
  kOffersOf,
  kAccrued,
  kSecondsLeft,
  // INodes
  kRegister,
  kUpdate,
  kHeartbeat,
  kLeave,
  kNodeOf,
  kAccountOf,
  kCount,
  kList,
  kRegistrationDigest,
  // INames
  kNameCommit,
  kNameRegister,
  kNameRenew,
  kNameTransfer,
  kNameApprove,
  kNameSetRecords,
  kNameSetReverse,
  kNameClearReverse,
  kNameAvailable,
  kNamePrice,
  kNameOwner,
  kNameExpires,
  kNameRecords,
  kNameGet,
  kNamesOf,
  kNameCount,
  kNameList,
  kNameCommitment,
  kNameCommittedAt,
  kNameRules,
  kNameReverse,
  kNameReverseDigest
};
enum class Event : std::uint8_t {
  // IMarket
  kOfferCreated,
  kOfferUpdated,
  kOfferClosed,
  kOrderCreated,
  kOrderUnmatched,
  kOrderClosed,
  kLeaseMatched,
  kLeaseStarted,
  kLeaseEnded,
  kSettled,
  kToppedUp,
  kLowBalance,
  // INodes
  kNodeRegistered,
  kNodeUpdated,
  kNodeLeft,
  kPenaltyBooked,
  // INames
  kNameRegistered,
  kNameRenewed,
  kNameTransferred,
  kNameApproved,
  kNameRecordsChanged,
  kNameReverseChanged
};
enum class Mutability : std::uint8_t { kView, kNonPayable, kPayable };

struct FunctionInfo {
  Call call{};
  Address contract;
  Mutability mutability = Mutability::kView;
  abi::Function function;
};
struct EventInfo {
  Event event{};
  Address contract;
  std::string signature;  ///< Canonical: "OfferCreated(uint256,address)".
  Hash32 topic;
  std::size_t indexed = 0;  ///< The first so many parameters are topics; the rest is in the data.
  abi::Type parameters;     ///< Tuple of all parameters.
  abi::Type data;           ///< Tuple of those that are not indexed.
};

/// Parsed once, on first use; thread-safe.
[[nodiscard]] std::span<const FunctionInfo> functions();
[[nodiscard]] std::span<const EventInfo> events();
[[nodiscard]] const FunctionInfo& function(Call call);
[[nodiscard]] const EventInfo& event_info(Event event);
/// The function of `contract` that the first four bytes of `data` select, or nullptr.
[[nodiscard]] const FunctionInfo* find_function(const Address& contract, BytesView data);

/// Call data. Empty when an argument does not fit its ABI type (a price of 2^128 or more): the contracts refuse an
/// empty call, so nothing else than what was asked can happen.
[[nodiscard]] Bytes encode_call(Call call, const abi::Values& arguments);
/// A log of `event` by its contract; `parameters` in the order of the signature, all of them.
[[nodiscard]] Log make_log(Event event, const abi::Values& parameters);
/// All parameters of a log of `event`, nothing when it is another event or malformed. Indexed parameters here are value
/// types.
[[nodiscard]] std::optional<abi::Values> parse_log(Event event, const Log& log);

/// Tuples in the member order of the .sol structs.
[[nodiscard]] abi::Value to_value(const Resources& in);
[[nodiscard]] abi::Value to_value(const OfferSpec& in);
[[nodiscard]] abi::Value to_value(const Offer& in);
[[nodiscard]] abi::Value to_value(const OrderSpec& in);
[[nodiscard]] abi::Value to_value(const Order& in);
[[nodiscard]] abi::Value to_value(const Lease& in);
[[nodiscard]] abi::Value to_value(const Explanation& in);
[[nodiscard]] abi::Value to_value(const Node& in);
/// The inverse. The value has been decoded with the table's type, so its shape is right; numbers fit by their ABI
/// width. Enumerations outside their range, and ports that are no uint16[], are kInvalid.
[[nodiscard]] Resources resources_from(const abi::Value& in);
[[nodiscard]] OfferSpec offer_spec_from(const abi::Value& in);
[[nodiscard]] Offer offer_from(const abi::Value& in);
[[nodiscard]] OrderSpec order_spec_from(const abi::Value& in);
[[nodiscard]] Result<Order> order_from(const abi::Value& in);
[[nodiscard]] Result<Lease> lease_from(const abi::Value& in);
[[nodiscard]] Explanation explanation_from(const abi::Value& in);
[[nodiscard]] Node node_from(const abi::Value& in);

/// abi.encode(uint16[]), the form of a lease's `endpoint`; empty bytes for no ports.
[[nodiscard]] Bytes encode_ports(const std::vector<std::uint16_t>& ports);
/// kInvalid when it is not that; empty bytes are no ports. At most 64 ports.
[[nodiscard]] Result<std::vector<std::uint16_t>> decode_ports(BytesView endpoint);
inline constexpr std::size_t kMaxPorts = 64;

/// A list of one value (a braced list of one list would be ambiguous between copy and element).
[[nodiscard]] inline abi::Values one(abi::Value value) {
  abi::Values out;
  out.push_back(std::move(value));
  return out;
}

}  // namespace bonus::chain::market
