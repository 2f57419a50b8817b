// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// System contract 0x...b002: node keys, their accounts, bonds, heartbeats and penalties.
interface INodes {
    struct Node {
        bytes32 nodeKey;        // Ed25519 public key (RFC 8032)
        bytes32 nodeId;         // SHA-256("bonus/node/v1" || nodeKey)
        address account;
        uint8 tier;             // 0 Lite, 1 Normal, 2 Super
        string region;          // "cn-shanghai", free text of [a-z0-9-], at most 32 bytes
        string endpoint;        // "host:port" of the node-to-node service, at most 128 bytes
        uint256 bond;           // wei held by this contract
        uint64 registeredAt;    // unix seconds of the block
        uint64 lastHeartbeat;
        uint64 lastHeartbeatBlock;
        uint32 interruptions;   // how many leases it broke
        uint32 penaltyBps;      // draw weight now, in 1/10000 (10000 = unpunished); heals with time
        bool active;
    }

    event NodeRegistered(address indexed account, bytes32 indexed nodeId, bytes32 nodeKey, uint8 tier, string region);
    event NodeUpdated(address indexed account, string region, string endpoint);
    event NodeLeft(address indexed account, uint256 bondReturned);
    event PenaltyBooked(address indexed account, uint256 indexed leaseId, uint32 penaltyBps, uint256 slashed);

    /// signature: Ed25519 by nodeKey over keccak256("bonus/register/v1" || uint256(chainid) || account). msg.value is the bond.
    function register(bytes32 nodeKey, bytes calldata signature, uint8 tier, string calldata region, string calldata endpoint) external payable;
    function update(uint8 tier, string calldata region, string calldata endpoint) external;
    /// Also ends a suspension: offers of a failed worker count again from here on.
    function heartbeat() external;
    /// Returns the bond; reverts while the node has leases or active offers.
    function leave() external;
    function nodeOf(address account) external view returns (Node memory);
    function accountOf(bytes32 nodeId) external view returns (address);
    function count() external view returns (uint256);
    /// Nodes that are registered now, in the order of their first registration; at most 256 a call.
    function list(uint256 from, uint256 limit) external view returns (Node[] memory);
    function registrationDigest(address account) external view returns (bytes32);
}
