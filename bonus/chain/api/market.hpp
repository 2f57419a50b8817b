// The Nodes and Market contracts as C++ values, and the ABI of their calls (contracts/interfaces/*.sol is the
// contract). Field meanings and units are documented there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::market {

struct Resources {
  std::uint32_t cpu_millis = 0, memory_mib = 0, disk_mib = 0;
  friend bool operator==(const Resources&, const Resources&) = default;
};
struct Prices {
  uint256 cpu, memory, disk;  ///< Each below 2^128.
};
struct OfferSpec {
  Resources capacity;
  Prices prices;
  std::uint8_t tier = 1;
  std::uint8_t runtimes = 1;
  std::string region;
  UnixSeconds available_until = 0;
};
struct Offer {
  std::uint64_t id = 0;
  Address worker;
  NodeId node_id;
  OfferSpec spec;
  Resources used;
  std::uint32_t running_leases = 0;
  bool active = false;
};
struct OrderSpec {
  std::string image;
  Hash32 image_digest, workload;
  Resources resources;
  std::uint16_t replicas = 1;
  std::uint8_t runtime = 0;
  std::int8_t min_tier = -1;
  std::string region;
  uint256 max_price_per_second;
  std::uint64_t duration = 0;
  Address developer;
  std::uint16_t royalty_bps = 0;
  bool distinct_operators = false;
  std::uint8_t weight_cheap = 50, weight_quality = 50, weight_near = 0;
};
enum class OrderState : std::uint8_t { kNone, kOpen, kMatched, kClosed };
enum class LeaseState : std::uint8_t { kNone, kStarting, kRunning, kEnded };
enum class EndReason : std::uint8_t {
  kNone,
  kUser,
  kDepositExhausted,
  kDurationReached,
  kWorkerLeft,
  kWorkerFailed,
  kImageFailed,
  kHealthFailed,
  kWorkloadExited,
  kStartTimeout
};
struct Order {
  std::uint64_t id = 0;
  Address user;
  OrderSpec spec;
  OrderState state = OrderState::kNone;
  uint256 escrow;
  std::uint16_t live_replicas = 0;
  UnixSeconds created_at = 0;
  std::string explanation;
};
struct Lease {
  std::uint64_t id = 0, order_id = 0, offer_id = 0;
  Address user, worker;
  NodeId node_id;
  LeaseState state = LeaseState::kNone;
  EndReason reason = EndReason::kNone;
  uint256 price_per_second;
  UnixSeconds matched_at = 0, started_at = 0, settled_until = 0, ended_at = 0;
  uint256 paid_total, paid_worker, paid_developer, paid_foundation;
  std::vector<std::uint16_t> ports;  ///< Decoded `endpoint`.
  std::string detail;
};
struct Explanation {
  std::uint32_t offers = 0, matching = 0;
  uint256 expected_price_per_second;
  std::string dimension;
  uint256 asked, best;
  std::string advice;
};
struct Node {
  Ed25519PublicKey node_key;
  NodeId node_id;
  Address account;
  std::uint8_t tier = 0;
  std::string region, endpoint;
  uint256 bond;
  UnixSeconds registered_at = 0, last_heartbeat = 0;
  std::uint64_t last_heartbeat_block = 0;
  std::uint32_t interruptions = 0, penalty_bps = 10000;
  bool active = false;
};

/// Stable lower-case words for CLI, JSON and logs: "deposit-exhausted", "running", ...
[[nodiscard]] std::string_view to_string(OrderState state);
[[nodiscard]] std::string_view to_string(LeaseState state);
[[nodiscard]] std::string_view to_string(EndReason reason);

// Call data of transactions to kMarketAddress / kNodesAddress.
namespace encode {
[[nodiscard]] Bytes create_offer(const OfferSpec& spec);
[[nodiscard]] Bytes update_offer(std::uint64_t offer_id, const OfferSpec& spec);
[[nodiscard]] Bytes close_offer(std::uint64_t offer_id);
[[nodiscard]] Bytes lease_started(std::uint64_t lease_id, const std::vector<std::uint16_t>& ports);
[[nodiscard]] Bytes lease_ended(std::uint64_t lease_id, EndReason reason, std::string_view detail);
[[nodiscard]] Bytes create_order(const OrderSpec& spec);
[[nodiscard]] Bytes top_up(std::uint64_t order_id);
[[nodiscard]] Bytes stop(std::uint64_t order_id);
[[nodiscard]] Bytes settle(std::uint64_t lease_id);
[[nodiscard]] Bytes preflight(const OrderSpec& spec, const uint256& deposit);
[[nodiscard]] Bytes get_offer(std::uint64_t id);
[[nodiscard]] Bytes get_order(std::uint64_t id);
[[nodiscard]] Bytes get_lease(std::uint64_t id);
[[nodiscard]] Bytes offers(std::uint64_t before, std::uint64_t limit);
[[nodiscard]] Bytes orders(std::uint64_t before, std::uint64_t limit);
[[nodiscard]] Bytes leases(std::uint64_t before, std::uint64_t limit);
[[nodiscard]] Bytes orders_of(const Address& user, std::uint64_t before, std::uint64_t limit);
[[nodiscard]] Bytes leases_of_order(std::uint64_t order_id);
[[nodiscard]] Bytes live_leases_of(const Address& worker);
[[nodiscard]] Bytes offers_of(const Address& worker);
[[nodiscard]] Bytes accrued(std::uint64_t lease_id);
[[nodiscard]] Bytes seconds_left(std::uint64_t order_id);
[[nodiscard]] Bytes register_node(const Ed25519PublicKey& key, const Ed25519Signature& signature, std::uint8_t tier,
                                  std::string_view region, std::string_view endpoint);
[[nodiscard]] Bytes update_node(std::uint8_t tier, std::string_view region, std::string_view endpoint);
[[nodiscard]] Bytes heartbeat();
[[nodiscard]] Bytes leave();
[[nodiscard]] Bytes node_of(const Address& account);
[[nodiscard]] Bytes account_of(const NodeId& id);
[[nodiscard]] Bytes list_nodes(std::uint64_t from, std::uint64_t limit);
}  // namespace encode

// Results of the views above. kInvalid when the data is not what the ABI says.
namespace decode {
[[nodiscard]] Result<Explanation> explanation(BytesView data);
[[nodiscard]] Result<Offer> offer(BytesView data);
[[nodiscard]] Result<Order> order(BytesView data);
[[nodiscard]] Result<Lease> lease(BytesView data);
[[nodiscard]] Result<std::vector<Offer>> offers(BytesView data);
[[nodiscard]] Result<std::vector<Order>> orders(BytesView data);
[[nodiscard]] Result<std::vector<Lease>> leases(BytesView data);
[[nodiscard]] Result<Node> node(BytesView data);
[[nodiscard]] Result<std::vector<Node>> nodes(BytesView data);
struct Split {
  uint256 worker, developer, foundation;
};
[[nodiscard]] Result<Split> split(BytesView data);
[[nodiscard]] Result<uint256> number(BytesView data);
}  // namespace decode

// Events, recognised in receipts and logs; nothing when the log is another event.
namespace event {
struct OrderCreated {
  std::uint64_t order_id = 0;
  Address user;
  uint256 deposit;
};
struct LeaseMatched {
  std::uint64_t lease_id = 0, order_id = 0, offer_id = 0;
  Address worker;
  uint256 price_per_second;
};
struct LeaseEnded {
  std::uint64_t lease_id = 0, order_id = 0;
  EndReason reason = EndReason::kNone;
  std::string detail;
};
[[nodiscard]] std::optional<OrderCreated> order_created(const Log& log);
[[nodiscard]] std::optional<LeaseMatched> lease_matched(const Log& log);
[[nodiscard]] std::optional<LeaseEnded> lease_ended(const Log& log);
[[nodiscard]] std::optional<std::uint64_t> offer_created(const Log& log);
}  // namespace event

/// keccak256("bonus/register/v1" || uint256(chain id) || account), what the node key signs to register.
[[nodiscard]] Hash32 registration_digest(std::uint64_t chain_id, const Address& account);

}  // namespace bonus::chain::market
