// The signature tables of IMarket, INodes and INames. Enumerations are uint8 in the ABI.
#include "bonus/chain/api/market_abi.hpp"

#include <cassert>
#include <cstdlib>

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::market {
namespace {

// Struct bodies are spelled once; the preprocessor only joins literals.
#define SOL_RESOURCES "(uint32,uint32,uint32)"
#define SOL_PRICES "(uint128,uint128,uint128)"
#define SOL_OFFER_SPEC "(" SOL_RESOURCES "," SOL_PRICES ",uint8,uint8,string,uint64)"
#define SOL_OFFER "(uint256,address,bytes32," SOL_OFFER_SPEC "," SOL_RESOURCES ",uint32,bool)"
#define SOL_ORDER_SPEC                     \
  "(string,bytes32,bytes32," SOL_RESOURCES \
  ",uint16,uint8,int8,string,uint128,uint64,address,uint16,bool,uint8,uint8,uint8)"
#define SOL_ORDER "(uint256,address," SOL_ORDER_SPEC ",uint8,uint256,uint16,uint64,string)"
#define SOL_LEASE                                                                                                     \
  "(uint256,uint256,uint256,address,address,bytes32,uint8,uint8,uint128,uint64,uint64,uint64,uint64,uint256,uint256," \
  "uint256,uint256,bytes,string)"
#define SOL_EXPLANATION "(uint32,uint32,uint128,string,uint256,uint256,string)"
#define SOL_NODE "(bytes32,bytes32,address,uint8,string,string,uint256,uint64,uint64,uint64,uint32,uint32,bool)"
#define SOL_NAME "(string,address,address,uint64,uint64,uint32,uint8,bytes)"

struct FunctionText {
  Call call;
  Mutability mutability;
  const char* text;
};
using enum Mutability;
constexpr FunctionText kMarketFunctions[] = {
    {Call::kCreateOffer, kNonPayable, "createOffer(" SOL_OFFER_SPEC ")(uint256)"},
    {Call::kUpdateOffer, kNonPayable, "updateOffer(uint256," SOL_OFFER_SPEC ")()"},
    {Call::kCloseOffer, kNonPayable, "closeOffer(uint256)()"},
    {Call::kLeaseStarted, kNonPayable, "leaseStarted(uint256,bytes)()"},
    {Call::kLeaseEnded, kNonPayable, "leaseEnded(uint256,uint8,string)()"},
    {Call::kCreateOrder, kPayable, "createOrder(" SOL_ORDER_SPEC ")(uint256)"},
    {Call::kTopUp, kPayable, "topUp(uint256)()"},
    {Call::kStop, kNonPayable, "stop(uint256)()"},
    {Call::kSettle, kNonPayable, "settle(uint256)()"},
    {Call::kPreflight, kView, "preflight(" SOL_ORDER_SPEC ",uint256)(" SOL_EXPLANATION ")"},
    {Call::kGetOffer, kView, "getOffer(uint256)(" SOL_OFFER ")"},
    {Call::kGetOrder, kView, "getOrder(uint256)(" SOL_ORDER ")"},
    {Call::kGetLease, kView, "getLease(uint256)(" SOL_LEASE ")"},
    {Call::kOfferCount, kView, "offerCount()(uint256)"},
    {Call::kOrderCount, kView, "orderCount()(uint256)"},
    {Call::kLeaseCount, kView, "leaseCount()(uint256)"},
    {Call::kOffers, kView, "offers(uint256,uint256)(" SOL_OFFER "[])"},
    {Call::kOrders, kView, "orders(uint256,uint256)(" SOL_ORDER "[])"},
    {Call::kLeases, kView, "leases(uint256,uint256)(" SOL_LEASE "[])"},
    {Call::kOrdersOf, kView, "ordersOf(address,uint256,uint256)(" SOL_ORDER "[])"},
    {Call::kLeasesOfOrder, kView, "leasesOfOrder(uint256)(" SOL_LEASE "[])"},
    {Call::kLiveLeasesOf, kView, "liveLeasesOf(address)(" SOL_LEASE "[])"},
    {Call::kOffersOf, kView, "offersOf(address)(" SOL_OFFER "[])"},
    {Call::kAccrued, kView, "accrued(uint256)(uint256,uint256,uint256)"},
    {Call::kSecondsLeft, kView, "secondsLeft(uint256)(uint64)"},
};
constexpr FunctionText kNodesFunctions[] = {
    {Call::kRegister, kPayable, "register(bytes32,bytes,uint8,string,string)()"},
    {Call::kUpdate, kNonPayable, "update(uint8,string,string)()"},
    {Call::kHeartbeat, kNonPayable, "heartbeat()()"},
    {Call::kLeave, kNonPayable, "leave()()"},
    {Call::kNodeOf, kView, "nodeOf(address)(" SOL_NODE ")"},
    {Call::kAccountOf, kView, "accountOf(bytes32)(address)"},
    {Call::kCount, kView, "count()(uint256)"},
    {Call::kList, kView, "list(uint256,uint256)(" SOL_NODE "[])"},
    {Call::kRegistrationDigest, kView, "registrationDigest(address)(bytes32)"},
};
constexpr FunctionText kNamesFunctions[] = {
    {Call::kNameCommit, kNonPayable, "commit(bytes32)()"},
    {Call::kNameRegister, kPayable, "register(string,address,uint64,bytes32)(uint64)"},
    {Call::kNameRenew, kPayable, "renew(string,uint64)(uint64)"},
    {Call::kNameTransfer, kNonPayable, "transfer(string,address)()"},
    {Call::kNameApprove, kNonPayable, "approve(string,address)()"},
    {Call::kNameSetRecords, kNonPayable, "setRecords(string,bytes)()"},
    {Call::kNameSetReverse, kNonPayable, "setReverse(string,bytes32,bytes,uint64,bytes)(bytes16)"},
    {Call::kNameClearReverse, kNonPayable, "clearReverse(bytes16)()"},
    {Call::kNameAvailable, kView, "available(string)(bool)"},
    {Call::kNamePrice, kView, "price(string,uint64)(uint256)"},
    {Call::kNameOwner, kView, "owner(string)(address)"},
    {Call::kNameExpires, kView, "expires(string)(uint64)"},
    {Call::kNameRecords, kView, "records(string)(bytes)"},
    {Call::kNameGet, kView, "getName(string)(" SOL_NAME ")"},
    {Call::kNamesOf, kView, "namesOf(address,uint256,uint256)(" SOL_NAME "[])"},
    {Call::kNameCount, kView, "count()(uint256)"},
    {Call::kNameList, kView, "list(uint256,uint256)(" SOL_NAME "[])"},
    {Call::kNameCommitment, kView, "commitment(string,address,uint64,bytes32)(bytes32)"},
    {Call::kNameCommittedAt, kView, "committedAt(bytes32)(uint64)"},
    {Call::kNameRules, kView, "rules()(uint64,uint64,uint64,uint64,uint64)"},
    {Call::kNameReverse, kView, "reverse(bytes16)(string)"},
    {Call::kNameReverseDigest, kView, "reverseDigest(address,string,bytes,uint64)(bytes32)"},
};

struct EventText {
  Event event;
  std::size_t indexed;
  const char* name;
  const char* parameters;
};
constexpr EventText kMarketEvents[] = {
    {Event::kOfferCreated, 2, "OfferCreated", "(uint256,address)"},
    {Event::kOfferUpdated, 1, "OfferUpdated", "(uint256)"},
    {Event::kOfferClosed, 1, "OfferClosed", "(uint256)"},
    {Event::kOrderCreated, 2, "OrderCreated", "(uint256,address,uint256)"},
    {Event::kOrderUnmatched, 1, "OrderUnmatched", "(uint256,string)"},
    {Event::kOrderClosed, 1, "OrderClosed", "(uint256,uint256)"},
    {Event::kLeaseMatched, 3, "LeaseMatched", "(uint256,uint256,address,uint256,uint128)"},
    {Event::kLeaseStarted, 1, "LeaseStarted", "(uint256,bytes)"},
    {Event::kLeaseEnded, 2, "LeaseEnded", "(uint256,uint256,uint8,string)"},
    {Event::kSettled, 1, "Settled", "(uint256,uint256,uint256,uint256)"},
    {Event::kToppedUp, 1, "ToppedUp", "(uint256,uint256)"},
    {Event::kLowBalance, 1, "LowBalance", "(uint256,uint64)"},
};
constexpr EventText kNodesEvents[] = {
    {Event::kNodeRegistered, 2, "NodeRegistered", "(address,bytes32,bytes32,uint8,string)"},
    {Event::kNodeUpdated, 1, "NodeUpdated", "(address,string,string)"},
    {Event::kNodeLeft, 1, "NodeLeft", "(address,uint256)"},
    {Event::kPenaltyBooked, 2, "PenaltyBooked", "(address,uint256,uint32,uint256)"},
};
constexpr EventText kNamesEvents[] = {
    {Event::kNameRegistered, 2, "NameRegistered", "(bytes32,address,string,uint256,uint64)"},
    {Event::kNameRenewed, 1, "NameRenewed", "(bytes32,string,uint256,uint64)"},
    {Event::kNameTransferred, 3, "NameTransferred", "(bytes32,address,address,string)"},
    {Event::kNameApproved, 2, "NameApproved", "(bytes32,address,string)"},
    {Event::kNameRecordsChanged, 1, "NameRecordsChanged", "(bytes32,string,uint32)"},
    {Event::kNameReverseChanged, 1, "NameReverseChanged", "(bytes16,string)"},
};

template <class T>
T must(Result<T> result) {
  // The texts above are ours: one that does not parse is a bug that every test meets.
  if (!result) std::abort();
  return *std::move(result);
}

std::vector<FunctionInfo> parse_functions() {
  std::vector<FunctionInfo> out;
  const auto add = [&out](const Address& contract, std::span<const FunctionText> texts) {
    for (const FunctionText& text : texts) {
      assert(static_cast<std::size_t>(text.call) == out.size());
      out.push_back({text.call, contract, text.mutability, must(abi::Function::parse(text.text))});
    }
  };
  add(kMarketAddress, kMarketFunctions);
  add(kNodesAddress, kNodesFunctions);
  add(kNamesAddress, kNamesFunctions);
  return out;
}

std::vector<EventInfo> parse_events() {
  std::vector<EventInfo> out;
  const auto add = [&out](const Address& contract, std::span<const EventText> texts) {
    for (const EventText& text : texts) {
      assert(static_cast<std::size_t>(text.event) == out.size());
      EventInfo info{.event = text.event,
                     .contract = contract,
                     .signature = std::string(text.name) + text.parameters,
                     .topic = {},
                     .indexed = text.indexed,
                     .parameters = must(abi::Type::parse(text.parameters)),
                     .data = {}};
      info.topic = abi::event_topic(info.signature);
      info.data.kind = abi::Type::Kind::kTuple;
      info.data.size = 0;
      info.data.inner.assign(info.parameters.inner.begin() + static_cast<std::ptrdiff_t>(info.indexed),
                             info.parameters.inner.end());
      out.push_back(std::move(info));
    }
  };
  add(kMarketAddress, kMarketEvents);
  add(kNodesAddress, kNodesEvents);
  add(kNamesAddress, kNamesEvents);
  return out;
}

abi::Type tuple_of(const abi::Type& type) {
  abi::Type out;
  out.kind = abi::Type::Kind::kTuple;
  out.size = 0;
  out.inner.push_back(type);
  return out;
}

}  // namespace

std::span<const FunctionInfo> functions() {
  static const std::vector<FunctionInfo> table = parse_functions();
  return table;
}

std::span<const EventInfo> events() {
  static const std::vector<EventInfo> table = parse_events();
  return table;
}

const FunctionInfo& function(Call call) { return functions()[static_cast<std::size_t>(call)]; }

const EventInfo& event_info(Event event) { return events()[static_cast<std::size_t>(event)]; }

const FunctionInfo* find_function(const Address& contract, BytesView data) {
  if (data.size() < 4) return nullptr;
  for (const FunctionInfo& info : functions()) {
    if (info.contract == contract && std::ranges::equal(info.function.selector, data.first(4))) return &info;
  }
  return nullptr;
}

Bytes encode_call(Call call, const abi::Values& arguments) {
  auto out = function(call).function.encode_call(arguments);
  return out ? *std::move(out) : Bytes{};
}

Log make_log(Event event, const abi::Values& parameters) {
  const EventInfo& info = event_info(event);
  assert(parameters.size() == info.parameters.inner.size());
  Log log;
  log.address = info.contract;
  log.topics.push_back(info.topic);
  for (std::size_t i = 0; i < info.indexed; ++i) {
    // Indexed parameters are value types here: the topic is their one encoded word.
    const Bytes word = must(abi::encode(tuple_of(info.parameters.inner[i]), one(parameters[i])));
    log.topics.push_back(must(Hash32::from(word)));
  }
  if (!info.data.inner.empty()) {
    log.data = must(abi::encode(
        info.data, abi::Values(parameters.begin() + static_cast<std::ptrdiff_t>(info.indexed), parameters.end())));
  }
  return log;
}

std::optional<abi::Values> parse_log(Event event, const Log& log) {
  const EventInfo& info = event_info(event);
  if (log.address != info.contract || log.topics.size() != info.indexed + 1 || log.topics[0] != info.topic)
    return std::nullopt;
  abi::Values out;
  for (std::size_t i = 0; i < info.indexed; ++i) {
    auto word = abi::decode(tuple_of(info.parameters.inner[i]), log.topics[i + 1].view());
    if (!word) return std::nullopt;
    out.push_back(std::move(word->front()));
  }
  auto rest = abi::decode(info.data, log.data);
  if (!rest) return std::nullopt;
  for (abi::Value& value : *rest) out.push_back(std::move(value));
  return out;
}

}  // namespace bonus::chain::market
