// Call data, results and events of Nodes and Market as C++ values: the client's side of the ABI.
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::market {
namespace {

abi::Value num(std::uint64_t value) { return abi::Value(value); }

/// Decodes a result, turning a failure into a message that names the function.
Result<abi::Values> result_of(Call call, BytesView data) {
  const abi::Function& info = function(call).function;
  auto out = info.decode_result(data);
  if (!out) return fail(std::move(out).error().wrap("result of " + info.name));
  return out;
}

template <class T, class Convert>
Result<std::vector<T>> list_of(Call call, BytesView data, Convert convert) {
  TRY_ASSIGN(const auto values, result_of(call, data));
  std::vector<T> out;
  for (const abi::Value& item : values[0].items()) {
    Result<T> converted = convert(item);
    if (!converted) return fail(std::move(converted).error());
    out.push_back(*std::move(converted));
  }
  return out;
}

}  // namespace

std::string_view to_string(OrderState state) {
  switch (state) {
    case OrderState::kNone:
      return "none";
    case OrderState::kOpen:
      return "open";
    case OrderState::kMatched:
      return "matched";
    case OrderState::kClosed:
      return "closed";
  }
  return "unknown";
}

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::kNone:
      return "none";
    case LeaseState::kStarting:
      return "starting";
    case LeaseState::kRunning:
      return "running";
    case LeaseState::kEnded:
      return "ended";
  }
  return "unknown";
}

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::kNone:
      return "none";
    case EndReason::kUser:
      return "user";
    case EndReason::kDepositExhausted:
      return "deposit-exhausted";
    case EndReason::kDurationReached:
      return "duration-reached";
    case EndReason::kWorkerLeft:
      return "worker-left";
    case EndReason::kWorkerFailed:
      return "worker-failed";
    case EndReason::kImageFailed:
      return "image-failed";
    case EndReason::kHealthFailed:
      return "health-failed";
    case EndReason::kWorkloadExited:
      return "workload-exited";
    case EndReason::kStartTimeout:
      return "start-timeout";
  }
  return "unknown";
}

namespace encode {
Bytes create_offer(const OfferSpec& spec) { return encode_call(Call::kCreateOffer, one(to_value(spec))); }
Bytes update_offer(std::uint64_t offer_id, const OfferSpec& spec) {
  return encode_call(Call::kUpdateOffer, {num(offer_id), to_value(spec)});
}
Bytes close_offer(std::uint64_t offer_id) { return encode_call(Call::kCloseOffer, {num(offer_id)}); }
Bytes lease_started(std::uint64_t lease_id, const std::vector<std::uint16_t>& ports) {
  return encode_call(Call::kLeaseStarted, {num(lease_id), encode_ports(ports)});
}
Bytes lease_ended(std::uint64_t lease_id, EndReason reason, std::string_view detail) {
  return encode_call(Call::kLeaseEnded, {num(lease_id), num(static_cast<std::uint64_t>(reason)), std::string(detail)});
}
Bytes create_order(const OrderSpec& spec) { return encode_call(Call::kCreateOrder, one(to_value(spec))); }
Bytes top_up(std::uint64_t order_id) { return encode_call(Call::kTopUp, {num(order_id)}); }
Bytes stop(std::uint64_t order_id) { return encode_call(Call::kStop, {num(order_id)}); }
Bytes settle(std::uint64_t lease_id) { return encode_call(Call::kSettle, {num(lease_id)}); }
Bytes preflight(const OrderSpec& spec, const uint256& deposit) {
  return encode_call(Call::kPreflight, {to_value(spec), deposit});
}
Bytes get_offer(std::uint64_t id) { return encode_call(Call::kGetOffer, {num(id)}); }
Bytes get_order(std::uint64_t id) { return encode_call(Call::kGetOrder, {num(id)}); }
Bytes get_lease(std::uint64_t id) { return encode_call(Call::kGetLease, {num(id)}); }
Bytes offers(std::uint64_t before, std::uint64_t limit) {
  return encode_call(Call::kOffers, {num(before), num(limit)});
}
Bytes orders(std::uint64_t before, std::uint64_t limit) {
  return encode_call(Call::kOrders, {num(before), num(limit)});
}
Bytes leases(std::uint64_t before, std::uint64_t limit) {
  return encode_call(Call::kLeases, {num(before), num(limit)});
}
Bytes orders_of(const Address& user, std::uint64_t before, std::uint64_t limit) {
  return encode_call(Call::kOrdersOf, {user, num(before), num(limit)});
}
Bytes leases_of_order(std::uint64_t order_id) { return encode_call(Call::kLeasesOfOrder, {num(order_id)}); }
Bytes live_leases_of(const Address& worker) { return encode_call(Call::kLiveLeasesOf, {abi::Value(worker)}); }
Bytes offers_of(const Address& worker) { return encode_call(Call::kOffersOf, {abi::Value(worker)}); }
Bytes accrued(std::uint64_t lease_id) { return encode_call(Call::kAccrued, {num(lease_id)}); }
Bytes seconds_left(std::uint64_t order_id) { return encode_call(Call::kSecondsLeft, {num(order_id)}); }
Bytes register_node(const Ed25519PublicKey& key, const Ed25519Signature& signature, std::uint8_t tier,
                    std::string_view region, std::string_view endpoint) {
  return encode_call(Call::kRegister, {key, signature, num(tier), std::string(region), std::string(endpoint)});
}
Bytes update_node(std::uint8_t tier, std::string_view region, std::string_view endpoint) {
  return encode_call(Call::kUpdate, {num(tier), std::string(region), std::string(endpoint)});
}
Bytes heartbeat() { return encode_call(Call::kHeartbeat, {}); }
Bytes leave() { return encode_call(Call::kLeave, {}); }
Bytes node_of(const Address& account) { return encode_call(Call::kNodeOf, {abi::Value(account)}); }
Bytes account_of(const NodeId& id) { return encode_call(Call::kAccountOf, {abi::Value(id)}); }
Bytes list_nodes(std::uint64_t from, std::uint64_t limit) { return encode_call(Call::kList, {num(from), num(limit)}); }
}  // namespace encode

namespace decode {
Result<Explanation> explanation(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kPreflight, data));
  return explanation_from(values[0]);
}
Result<Offer> offer(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kGetOffer, data));
  return offer_from(values[0]);
}
Result<Order> order(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kGetOrder, data));
  return order_from(values[0]);
}
Result<Lease> lease(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kGetLease, data));
  return lease_from(values[0]);
}
Result<std::vector<Offer>> offers(BytesView data) {
  return list_of<Offer>(Call::kOffers, data, [](const abi::Value& v) -> Result<Offer> { return offer_from(v); });
}
Result<std::vector<Order>> orders(BytesView data) { return list_of<Order>(Call::kOrders, data, order_from); }
Result<std::vector<Lease>> leases(BytesView data) { return list_of<Lease>(Call::kLeases, data, lease_from); }
Result<Node> node(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kNodeOf, data));
  return node_from(values[0]);
}
Result<std::vector<Node>> nodes(BytesView data) {
  return list_of<Node>(Call::kList, data, [](const abi::Value& v) -> Result<Node> { return node_from(v); });
}
Result<Split> split(BytesView data) {
  TRY_ASSIGN(const auto values, result_of(Call::kAccrued, data));
  return Split{values[0].number(), values[1].number(), values[2].number()};
}
Result<uint256> number(BytesView data) {
  if (data.size() != 32)
    return fail(ErrorCode::kInvalid, "expected one 32-byte word, got " + std::to_string(data.size()) + " bytes");
  return uint256::from_be(data);
}
}  // namespace decode

namespace event {
std::optional<OrderCreated> order_created(const Log& log) {
  const auto v = parse_log(Event::kOrderCreated, log);
  if (!v) return std::nullopt;
  return OrderCreated{(*v)[0].u64(), (*v)[1].address(), (*v)[2].number()};
}
std::optional<LeaseMatched> lease_matched(const Log& log) {
  const auto v = parse_log(Event::kLeaseMatched, log);
  if (!v) return std::nullopt;
  return LeaseMatched{.lease_id = (*v)[0].u64(),
                      .order_id = (*v)[1].u64(),
                      .offer_id = (*v)[3].u64(),
                      .worker = (*v)[2].address(),
                      .price_per_second = (*v)[4].number()};
}
std::optional<LeaseEnded> lease_ended(const Log& log) {
  const auto v = parse_log(Event::kLeaseEnded, log);
  if (!v || (*v)[2].u64() > static_cast<std::uint64_t>(EndReason::kStartTimeout)) return std::nullopt;
  return LeaseEnded{(*v)[0].u64(), (*v)[1].u64(), static_cast<EndReason>((*v)[2].u64()), (*v)[3].text()};
}
std::optional<std::uint64_t> offer_created(const Log& log) {
  const auto v = parse_log(Event::kOfferCreated, log);
  if (!v) return std::nullopt;
  return (*v)[0].u64();
}
}  // namespace event

Hash32 registration_digest(std::uint64_t chain_id, const Address& account) {
  Bytes message;
  append(message, as_bytes("bonus/register/v1"));
  append(message, uint256(chain_id).to_be());
  append(message, account);
  return crypto::keccak256(message);
}

}  // namespace bonus::chain::market
