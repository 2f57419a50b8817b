// Where every variable of Nodes and Market lies: the C++ form of the listing in docs/formats/market_storage.md.
#pragma once

#include "bonus/chain/contracts/storage.hpp"

namespace bonus::chain::contracts {

namespace nodes_layout {
inline constexpr std::uint64_t kTotals = 0;      ///< uint256 totalBonds.
inline constexpr std::uint64_t kNodes = 1;       ///< Node[] nodes.
inline constexpr std::uint64_t kIndexOf = 2;     ///< mapping(address => uint256): position in nodes + 1.
inline constexpr std::uint64_t kAccountOf = 3;   ///< mapping(bytes32 => address).
inline constexpr std::uint64_t kRegistered = 4;  ///< uint256: nodes that are registered now.

inline constexpr unsigned kNodeWords = 7;
inline constexpr unsigned kKey = 0, kId = 1, kBond = 2, kHot = 3, kRegion = 5, kEndpoint = 6;
inline constexpr Field kRegisteredAt{3, 0, 8}, kLastHeartbeat{3, 8, 8}, kLastHeartbeatBlock{3, 16, 8},
    kInterruptions{3, 24, 4}, kPenaltyBps{3, 28, 2}, kTier{3, 30, 1}, kActive{3, 31, 1};
inline constexpr Field kAccount{4, 0, 20}, kPenaltyAt{4, 20, 8};
}  // namespace nodes_layout

namespace market_layout {
inline constexpr std::uint64_t kOffers = 0;   ///< Offer[] offers; id = position + 1, as for orders and leases.
inline constexpr std::uint64_t kOrders = 1;   ///< Order[] orders.
inline constexpr std::uint64_t kLeases = 2;   ///< Lease[] leases.
inline constexpr std::uint64_t kWorkers = 3;  ///< Worker[] workers; position = the node's position in Nodes.
inline constexpr std::uint64_t kOpen = 4;     ///< uint64[] open: ids of offers that are not closed.
inline constexpr std::uint64_t kQueues = 5;   ///< Heads and tails of the queues of pending orders, see below.
inline constexpr std::uint64_t kCounters = 6;
inline constexpr std::uint64_t kTimers = 7;        ///< Timer[] timers, a binary heap.
inline constexpr std::uint64_t kSettlements = 8;   ///< Due[] settlements, oldest first.
inline constexpr std::uint64_t kSettleHead = 9;    ///< uint256: first entry of settlements that is not done.
inline constexpr std::uint64_t kOrdersOf = 10;     ///< mapping(address => uint64[]).
inline constexpr std::uint64_t kRegions = 11;      ///< string[] regions.
inline constexpr std::uint64_t kRegionIndex = 12;  ///< mapping(bytes32 keccak(region) => uint256): position + 1.
inline constexpr std::uint64_t kEscrowTotal = 13;  ///< uint256: sum of the escrow of all orders.

namespace queues {
inline constexpr Field kPriorityHead{5, 0, 8}, kPriorityTail{5, 8, 8}, kNormalHead{5, 16, 8}, kNormalTail{5, 24, 8};
}
namespace counters {
inline constexpr Field kCursor{6, 0, 8}, kBookVersion{6, 8, 8}, kBusyHead{6, 16, 4}, kBusyTail{6, 20, 4},
    kLive{6, 24, 4};
}

namespace offer {
inline constexpr unsigned kWords = 4;
inline constexpr Field kCapCpu{0, 0, 4}, kCapMemory{0, 4, 4}, kCapDisk{0, 8, 4}, kUsedCpu{0, 12, 4},
    kUsedMemory{0, 16, 4}, kUsedDisk{0, 20, 4}, kRunning{0, 24, 4}, kTier{0, 28, 1}, kRuntimes{0, 29, 1},
    kOpen{0, 30, 1};
inline constexpr Field kPriceCpu{1, 0, 16}, kPriceMemory{1, 16, 16};
inline constexpr Field kPriceDisk{2, 0, 16}, kAvailableUntil{2, 16, 8}, kOpenIndex{2, 24, 4}, kRegion{2, 28, 4};
inline constexpr Field kWorker{3, 0, 20}, kNode{3, 20, 4};
}  // namespace offer

namespace order {
inline constexpr unsigned kWords = 31;
inline constexpr Field kUser{0, 0, 20}, kCreatedAt{0, 20, 8}, kState{0, 28, 1}, kLive{0, 29, 2}, kQueue{0, 31, 1};
inline constexpr unsigned kImageDigest = 1, kWorkload = 2;
inline constexpr Field kCpu{3, 0, 4}, kMemory{3, 4, 4}, kDisk{3, 8, 4}, kReplicas{3, 12, 2}, kRuntime{3, 14, 1},
    kMinTier{3, 15, 1}, kRoyaltyBps{3, 16, 2}, kDistinct{3, 18, 1}, kCheap{3, 19, 1}, kQuality{3, 20, 1},
    kNear{3, 21, 1}, kDuration{3, 22, 8};
inline constexpr Field kMaxPrice{4, 0, 16}, kPending{4, 16, 8}, kTried{4, 24, 8};
inline constexpr Field kAttempts{5, 0, 16}, kPrevious{5, 16, 8}, kNext{5, 24, 8};
inline constexpr Field kDeveloper{6, 0, 20}, kLowSent{6, 20, 1};
inline constexpr Field kEscrow{7, 0, 32}, kRate{8, 0, 32}, kSettledSum{9, 0, 32};
inline constexpr Field kAvoidBlock{10, 0, 8}, kTimerAt{10, 8, 8}, kAvoidNode{10, 16, 4};
inline constexpr unsigned kLeaseIds = 11, kImage = 12, kExplanation = 13, kRegion = 14;
inline constexpr unsigned kCurrent = 15;  ///< uint64[64]: the live lease of each replica, or 0.
}  // namespace order

namespace lease {
inline constexpr unsigned kWords = 9;
inline constexpr Field kOrder{0, 0, 8}, kOffer{0, 8, 8}, kMatchedAt{0, 16, 8}, kStartedAt{0, 24, 8};
inline constexpr Field kSettledUntil{1, 0, 8}, kEndedAt{1, 8, 8}, kPrice{1, 16, 16};
inline constexpr Field kWorker{2, 0, 20}, kNode{2, 20, 4}, kState{2, 24, 1}, kReason{2, 25, 1}, kReplica{2, 26, 1},
    kLiveIndex{2, 27, 4};
inline constexpr unsigned kNodeId = 3;
inline constexpr Field kPaidWorker{4, 0, 32}, kPaidDeveloper{5, 0, 32}, kPaidFoundation{6, 0, 32};
inline constexpr unsigned kEndpoint = 7, kDetail = 8;
}  // namespace lease

namespace worker {
inline constexpr unsigned kWords = 7;
inline constexpr Field kLive{0, 0, 4}, kCompleted{0, 4, 4}, kOpenOffers{0, 8, 4}, kPrevious{0, 12, 4}, kNext{0, 16, 4},
    kAliveAt{0, 20, 8};
inline constexpr Field kAliveBlock{1, 0, 8}, kBusy{1, 8, 1};
inline constexpr unsigned kOfferIds = 2;  ///< uint64[16].
inline constexpr unsigned kLiveIds = 6;   ///< uint64[].
}  // namespace worker
}  // namespace market_layout

}  // namespace bonus::chain::contracts
