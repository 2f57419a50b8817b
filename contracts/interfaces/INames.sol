// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// System contract 0x...b005: names under .bonus, without the suffix ("alice"). Times are unix seconds of block time, amounts wei.
///
/// To register: commit(commitment), wait for rules().minCommitmentAge, register(...) with at least price(name, duration) of value.
/// The price goes to the foundation; what is sent above it comes back to the caller.
interface INames {
    enum State {
        Free,   // never registered, or released after its grace period
        Live,   // it has an owner and resolves
        Grace   // expired: it resolves no more, and renewal is all that can be done
    }

    struct Name {
        string name;
        address owner;          // zero when it is free; otherwise also in the grace period
        address operator;       // may set records beside the owner; zero: nobody
        uint64 registeredAt;
        uint64 expires;
        uint32 revision;        // rises with each change of owner or records, never falls
        State state;
        bytes records;          // docs/formats/names.md, at most 1024 bytes; empty unless it is live
    }

    /// `id` is keccak256(bytes(name)).
    event NameRegistered(bytes32 indexed id, address indexed owner, string name, uint256 paid, uint64 expires);
    event NameRenewed(bytes32 indexed id, string name, uint256 paid, uint64 expires);
    event NameTransferred(bytes32 indexed id, address indexed from, address indexed to, string name);
    event NameApproved(bytes32 indexed id, address indexed operator, string name);
    event NameRecordsChanged(bytes32 indexed id, string name, uint32 revision);
    event NameReverseChanged(bytes16 indexed overlayAddress, string name);

    /// keccak256(abi.encode(name, owner, duration, secret)). Committing again while the first one holds changes nothing.
    function commit(bytes32 commitment) external;
    /// Anybody may send it, the name is the committed owner's. Takes the price, returns the rest to the caller.
    function register(string calldata name, address owner, uint64 duration, bytes32 secret) external payable returns (uint64 expires);
    /// By anybody, until the end of the grace period; counts from the old end.
    function renew(string calldata name, uint64 duration) external payable returns (uint64 expires);
    /// By the owner; the operator is forgotten.
    function transfer(string calldata name, address to) external;
    function approve(string calldata name, address operator) external;
    /// By the owner or the operator; replaces all records.
    function setRecords(string calldata name, bytes calldata records) external;
    /// The name that an overlay address answers with (PTR). signature: Ed25519 by nodeKey over reverseDigest(owner of the name,
    /// name, containerId, deadline); containerId empty: the node's own address. deadline: at most a day ahead.
    function setReverse(string calldata name, bytes32 nodeKey, bytes calldata containerId, uint64 deadline, bytes calldata signature) external returns (bytes16 overlayAddress);
    function clearReverse(bytes16 overlayAddress) external;

    /// False for names that break the rules, too.
    function available(string calldata name) external view returns (bool);
    /// Reverts with the rule that the name breaks.
    function price(string calldata name, uint64 duration) external view returns (uint256);
    /// Zero unless the name is live.
    function owner(string calldata name) external view returns (address);
    /// Zero when the name is free.
    function expires(string calldata name) external view returns (uint64);
    /// Empty unless the name is live.
    function records(string calldata name) external view returns (bytes memory);
    function getName(string calldata name) external view returns (Name memory);
    /// At most 64 a call, in no order; one that was released may stand here until somebody else registers it.
    function namesOf(address owner, uint256 from, uint256 limit) external view returns (Name[] memory);
    /// Of all names that were ever registered.
    function count() external view returns (uint256);
    function list(uint256 from, uint256 limit) external view returns (Name[] memory);
    /// What commit() takes. Asking a node tells it the secret: compute it yourself.
    function commitment(string calldata name, address owner, uint64 duration, bytes32 secret) external view returns (bytes32);
    /// Zero: there is none.
    function committedAt(bytes32 commitment) external view returns (uint64);
    function rules() external view returns (uint64 minCommitmentAge, uint64 maxCommitmentAge, uint64 minDuration, uint64 maxDuration, uint64 grace);
    /// Empty unless the name is live and still belongs to the owner whom the key signed for.
    function reverse(bytes16 overlayAddress) external view returns (string memory);
    /// keccak256(abi.encode("bonus/reverse/v1", chainid, owner, name, containerId, deadline)).
    function reverseDigest(address owner, string calldata name, bytes calldata containerId, uint64 deadline) external view returns (bytes32);
}
