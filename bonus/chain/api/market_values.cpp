// Structs of INodes and IMarket to ABI values and back, member by member in the order of the .sol files.
#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"

namespace bonus::chain::market {
namespace {

template <class Integer>
abi::Value num(Integer value) {
  return abi::Value(static_cast<std::uint64_t>(value));
}

template <class Integer>
Integer get(const abi::Value& value) {
  return static_cast<Integer>(value.u64());  // the ABI width, checked by the decoder, is that of Integer
}

template <class Enum>
Result<Enum> get_enum(const abi::Value& value, Enum last) {
  if (value.u64() > static_cast<std::uint64_t>(last)) {
    return fail(ErrorCode::kInvalid, "value " + std::to_string(value.u64()) + " is outside of the enumeration");
  }
  return static_cast<Enum>(value.u64());
}

NodeId node_id_from(const abi::Value& value) {
  NodeId out;
  out.bytes = value.hash32().bytes;
  return out;
}

const abi::Type& ports_type() {
  static const abi::Type type = [] {
    auto parsed = abi::Type::parse("(uint16[])");
    return parsed ? *std::move(parsed) : abi::Type{};
  }();
  return type;
}

}  // namespace

abi::Value to_value(const Resources& in) {
  return abi::Values{num(in.cpu_millis), num(in.memory_mib), num(in.disk_mib)};
}

Resources resources_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  return {get<std::uint32_t>(v[0]), get<std::uint32_t>(v[1]), get<std::uint32_t>(v[2])};
}

abi::Value to_value(const OfferSpec& in) {
  return abi::Values{to_value(in.capacity),
                     abi::Values{in.prices.cpu, in.prices.memory, in.prices.disk},
                     num(in.tier),
                     num(in.runtimes),
                     in.region,
                     num(in.available_until)};
}

OfferSpec offer_spec_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  const abi::Values& prices = v[1].items();
  return {.capacity = resources_from(v[0]),
          .prices = {prices[0].number(), prices[1].number(), prices[2].number()},
          .tier = get<std::uint8_t>(v[2]),
          .runtimes = get<std::uint8_t>(v[3]),
          .region = v[4].text(),
          .available_until = v[5].u64()};
}

abi::Value to_value(const Offer& in) {
  return abi::Values{num(in.id),           in.worker,         in.node_id,
                     to_value(in.spec),    to_value(in.used), num(in.running_leases),
                     abi::Value(in.active)};
}

Offer offer_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  return {.id = v[0].u64(),
          .worker = v[1].address(),
          .node_id = node_id_from(v[2]),
          .spec = offer_spec_from(v[3]),
          .used = resources_from(v[4]),
          .running_leases = get<std::uint32_t>(v[5]),
          .active = v[6].boolean()};
}

abi::Value to_value(const OrderSpec& in) {
  // int8 is sign-extended to the whole word.
  const uint256 tier = in.min_tier < 0 ? ~uint256(static_cast<std::uint64_t>(-(in.min_tier + 1)))
                                       : uint256(static_cast<std::uint64_t>(in.min_tier));
  return abi::Values{in.image,
                     in.image_digest,
                     in.workload,
                     to_value(in.resources),
                     num(in.replicas),
                     num(in.runtime),
                     abi::Value(tier),
                     in.region,
                     in.max_price_per_second,
                     num(in.duration),
                     in.developer,
                     num(in.royalty_bps),
                     abi::Value(in.distinct_operators),
                     num(in.weight_cheap),
                     num(in.weight_quality),
                     num(in.weight_near)};
}

OrderSpec order_spec_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  return {.image = v[0].text(),
          .image_digest = v[1].hash32(),
          .workload = v[2].hash32(),
          .resources = resources_from(v[3]),
          .replicas = get<std::uint16_t>(v[4]),
          .runtime = get<std::uint8_t>(v[5]),
          .min_tier = static_cast<std::int8_t>(v[6].number().low64() & 0xff),
          .region = v[7].text(),
          .max_price_per_second = v[8].number(),
          .duration = v[9].u64(),
          .developer = v[10].address(),
          .royalty_bps = get<std::uint16_t>(v[11]),
          .distinct_operators = v[12].boolean(),
          .weight_cheap = get<std::uint8_t>(v[13]),
          .weight_quality = get<std::uint8_t>(v[14]),
          .weight_near = get<std::uint8_t>(v[15])};
}

abi::Value to_value(const Order& in) {
  return abi::Values{num(in.id),         in.user,       to_value(in.spec),
                     num(in.state),      in.escrow,     num(in.live_replicas),
                     num(in.created_at), in.explanation};
}

Result<Order> order_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  TRY_ASSIGN(const OrderState state, get_enum(v[3], OrderState::kClosed));
  return Order{.id = v[0].u64(),
               .user = v[1].address(),
               .spec = order_spec_from(v[2]),
               .state = state,
               .escrow = v[4].number(),
               .live_replicas = get<std::uint16_t>(v[5]),
               .created_at = v[6].u64(),
               .explanation = v[7].text()};
}

abi::Value to_value(const Lease& in) {
  return abi::Values{num(in.id),
                     num(in.order_id),
                     num(in.offer_id),
                     in.user,
                     in.worker,
                     in.node_id,
                     num(in.state),
                     num(in.reason),
                     in.price_per_second,
                     num(in.matched_at),
                     num(in.started_at),
                     num(in.settled_until),
                     num(in.ended_at),
                     in.paid_total,
                     in.paid_worker,
                     in.paid_developer,
                     in.paid_foundation,
                     encode_ports(in.ports),
                     in.detail};
}

Result<Lease> lease_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  TRY_ASSIGN(const LeaseState state, get_enum(v[6], LeaseState::kEnded));
  TRY_ASSIGN(const EndReason reason, get_enum(v[7], EndReason::kStartTimeout));
  TRY_ASSIGN(auto ports, decode_ports(v[17].bytes()));
  return Lease{.id = v[0].u64(),
               .order_id = v[1].u64(),
               .offer_id = v[2].u64(),
               .user = v[3].address(),
               .worker = v[4].address(),
               .node_id = node_id_from(v[5]),
               .state = state,
               .reason = reason,
               .price_per_second = v[8].number(),
               .matched_at = v[9].u64(),
               .started_at = v[10].u64(),
               .settled_until = v[11].u64(),
               .ended_at = v[12].u64(),
               .paid_total = v[13].number(),
               .paid_worker = v[14].number(),
               .paid_developer = v[15].number(),
               .paid_foundation = v[16].number(),
               .ports = std::move(ports),
               .detail = v[18].text()};
}

abi::Value to_value(const Explanation& in) {
  return abi::Values{num(in.offers), num(in.matching), in.expected_price_per_second, in.dimension, in.asked,
                     in.best,        in.advice};
}

Explanation explanation_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  return {.offers = get<std::uint32_t>(v[0]),
          .matching = get<std::uint32_t>(v[1]),
          .expected_price_per_second = v[2].number(),
          .dimension = v[3].text(),
          .asked = v[4].number(),
          .best = v[5].number(),
          .advice = v[6].text()};
}

abi::Value to_value(const Node& in) {
  return abi::Values{in.node_key,
                     in.node_id,
                     in.account,
                     num(in.tier),
                     in.region,
                     in.endpoint,
                     in.bond,
                     num(in.registered_at),
                     num(in.last_heartbeat),
                     num(in.last_heartbeat_block),
                     num(in.interruptions),
                     num(in.penalty_bps),
                     abi::Value(in.active)};
}

Node node_from(const abi::Value& in) {
  const abi::Values& v = in.items();
  Node out;
  out.node_key.bytes = v[0].hash32().bytes;
  out.node_id = node_id_from(v[1]);
  out.account = v[2].address();
  out.tier = get<std::uint8_t>(v[3]);
  out.region = v[4].text();
  out.endpoint = v[5].text();
  out.bond = v[6].number();
  out.registered_at = v[7].u64();
  out.last_heartbeat = v[8].u64();
  out.last_heartbeat_block = v[9].u64();
  out.interruptions = get<std::uint32_t>(v[10]);
  out.penalty_bps = get<std::uint32_t>(v[11]);
  out.active = v[12].boolean();
  return out;
}

Bytes encode_ports(const std::vector<std::uint16_t>& ports) {
  if (ports.empty()) return {};
  abi::Values list;
  for (const std::uint16_t port : ports) list.push_back(num(port));
  auto out = abi::encode(ports_type(), one(std::move(list)));
  return out ? *std::move(out) : Bytes{};
}

Result<std::vector<std::uint16_t>> decode_ports(BytesView endpoint) {
  if (endpoint.empty()) return std::vector<std::uint16_t>{};
  auto decoded = abi::decode(ports_type(), endpoint, 2 * kMaxPorts);
  if (!decoded) return fail(std::move(decoded).error().wrap("endpoint is not abi.encode(uint16[])"));
  const abi::Values& list = decoded->front().items();
  if (list.size() > kMaxPorts) return fail(ErrorCode::kInvalid, "endpoint has more than 64 ports");
  std::vector<std::uint16_t> out;
  for (const abi::Value& port : list) out.push_back(get<std::uint16_t>(port));
  return out;
}

}  // namespace bonus::chain::market
