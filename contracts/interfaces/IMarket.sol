// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// System contract 0x...b003: offers, orders, matching, leases, streaming escrow.
/// Amounts are wei; prices are wei per second for one unit; times are unix seconds of block time.
interface IMarket {
    struct Resources {
        uint32 cpuMillis;       // thousandths of a core
        uint32 memoryMiB;
        uint32 diskMiB;
    }

    struct Prices {
        uint128 cpu;            // per milli-core and second
        uint128 mem;            // per MiB and second ("memory" is a keyword)
        uint128 disk;           // per MiB and second
    }

    struct OfferSpec {
        Resources capacity;
        Prices prices;
        uint8 tier;             // 0 Lite, 1 Normal, 2 Super
        uint8 runtimes;         // bit 0 runc, bit 1 gvisor, bit 2 vm
        string region;          // at most 32 bytes
        uint64 availableUntil;  // 0: open end
    }

    struct Offer {
        uint256 id;
        address worker;
        bytes32 nodeId;
        OfferSpec spec;
        Resources used;
        uint32 runningLeases;
        bool active;
    }

    struct OrderSpec {
        string image;           // for people: "hello:latest", at most 256 bytes
        bytes32 imageDigest;    // SHA-256 of the OCI manifest
        bytes32 workload;       // SHA-256 of the workload document (docs/formats/workload.md), fetched from BonusCloud's storage
        Resources resources;    // of one replica
        uint16 replicas;        // 1..64
        uint8 runtime;          // 0 runc, 1 gvisor, 2 vm
        int8 minTier;           // -1 any, else at least 0 Lite, 1 Normal, 2 Super
        string region;          // empty: any
        uint128 maxPricePerSecond; // wei per second for one replica
        uint64 duration;        // seconds from the start of each lease; 0: until the deposit ends
        address developer;      // royalty receiver, or zero
        uint16 royaltyBps;      // of what the user pays
        bool distinctOperators; // replicas on different workers
        uint8 weightCheap;      // user weights 0..100 of the draw
        uint8 weightQuality;
        uint8 weightNear;
    }

    enum OrderState { None, Open, Matched, Closed }
    enum LeaseState { None, Starting, Running, Ended }
    enum EndReason {
        None, User, DepositExhausted, DurationReached, WorkerLeft, WorkerFailed, ImageFailed, HealthFailed, WorkloadExited,
        StartTimeout
    }

    struct Order {
        uint256 id;
        address user;
        OrderSpec spec;
        OrderState state;
        uint256 escrow;         // wei left, not yet streamed
        uint16 liveReplicas;    // leases starting or running
        uint64 createdAt;
        string explanation;     // why replicas are unmatched, empty when all are matched
    }

    struct Lease {
        uint256 id;
        uint256 orderId;
        uint256 offerId;
        address user;
        address worker;
        bytes32 nodeId;
        LeaseState state;
        EndReason reason;
        uint128 pricePerSecond;
        uint64 matchedAt;
        uint64 startedAt;
        uint64 settledUntil;
        uint64 endedAt;
        uint256 paidTotal;      // by the user, of which:
        uint256 paidWorker;
        uint256 paidDeveloper;
        uint256 paidFoundation;
        bytes endpoint;         // abi.encode(uint16[] ports) of the container on the worker
        string detail;          // of the ending, for people, at most 256 bytes
    }

    struct Explanation {
        uint32 offers;          // active offers looked at
        uint32 matching;
        uint128 expectedPricePerSecond; // mean over the draw weights; 0 when nothing matches
        string dimension;       // "", "offers", "cpu", "memory", "disk", "region", "tier", "runtime", "price", "operators", "deposit"
        uint256 asked;          // a region is its text as bytes32
        uint256 best;           // smallest change that would match: this value instead of `asked`
        string advice;          // one sentence
    }

    event OfferCreated(uint256 indexed offerId, address indexed worker);
    event OfferUpdated(uint256 indexed offerId);
    event OfferClosed(uint256 indexed offerId);
    event OrderCreated(uint256 indexed orderId, address indexed user, uint256 deposit);
    event OrderUnmatched(uint256 indexed orderId, string explanation);
    event OrderClosed(uint256 indexed orderId, uint256 refunded);
    event LeaseMatched(uint256 indexed leaseId, uint256 indexed orderId, address indexed worker, uint256 offerId, uint128 pricePerSecond);
    event LeaseStarted(uint256 indexed leaseId, bytes endpoint);
    event LeaseEnded(uint256 indexed leaseId, uint256 indexed orderId, EndReason reason, string detail);
    event Settled(uint256 indexed leaseId, uint256 worker, uint256 developer, uint256 foundation);
    event ToppedUp(uint256 indexed orderId, uint256 amount);
    event LowBalance(uint256 indexed orderId, uint64 secondsLeft);

    // workers
    function createOffer(OfferSpec calldata spec) external returns (uint256 offerId);
    function updateOffer(uint256 offerId, OfferSpec calldata spec) external;
    function closeOffer(uint256 offerId) external;
    /// Money flows from the first call; a later one, while running, replaces the endpoint (a restarted container).
    function leaseStarted(uint256 leaseId, bytes calldata endpoint) external;
    /// reason: WorkerLeft, ImageFailed, HealthFailed or WorkloadExited.
    function leaseEnded(uint256 leaseId, EndReason reason, string calldata detail) external;

    // users
    function createOrder(OrderSpec calldata spec) external payable returns (uint256 orderId);
    function topUp(uint256 orderId) external payable;
    /// Ends all leases of the order and returns what is left of the escrow.
    function stop(uint256 orderId) external;

    // anyone
    function settle(uint256 leaseId) external;

    // views
    function preflight(OrderSpec calldata spec, uint256 deposit) external view returns (Explanation memory);
    function getOffer(uint256 offerId) external view returns (Offer memory);
    function getOrder(uint256 orderId) external view returns (Order memory);
    function getLease(uint256 leaseId) external view returns (Lease memory);
    function offerCount() external view returns (uint256);
    function orderCount() external view returns (uint256);
    function leaseCount() external view returns (uint256);
    /// Newest first, ids below `before` (0: from the newest), at most 64 a call.
    function offers(uint256 before, uint256 limit) external view returns (Offer[] memory);
    function orders(uint256 before, uint256 limit) external view returns (Order[] memory);
    function leases(uint256 before, uint256 limit) external view returns (Lease[] memory);
    function ordersOf(address user, uint256 before, uint256 limit) external view returns (Order[] memory);
    function leasesOfOrder(uint256 orderId) external view returns (Lease[] memory);
    /// Leases of a worker that have not ended; at most 256.
    function liveLeasesOf(address worker) external view returns (Lease[] memory);
    /// Offers of a worker that it has not closed, suspended ones included; at most 16.
    function offersOf(address worker) external view returns (Offer[] memory);
    /// What a running lease has accrued to now but not yet been paid, after the split.
    function accrued(uint256 leaseId) external view returns (uint256 worker, uint256 developer, uint256 foundation);
    /// Until the escrow is used up. While nothing runs: how long it would last for what starts or waits, at the highest price.
    function secondsLeft(uint256 orderId) external view returns (uint64);
}
