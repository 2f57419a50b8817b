// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import "../interfaces/INames.sol";

/// @title  NameKeeper
/// @notice Holds .bonus names for a community: it registers them from its own balance, lets anybody keep them alive from
///         that balance shortly before they end, and lets its owner appoint who writes their records.
/// @dev    Names (system contract 0x...b005) sees this contract as the caller: refunds come back to its balance.
contract NameKeeper {
    INames public constant NAMES = INames(0x000000000000000000000000000000000000b005);
    /// @notice A name may be kept alive when it ends within this time.
    uint64 public constant RENEW_BEFORE = 30 days;

    address public owner;
    /// @notice For how long `keepAlive` renews; 0: not at all.
    uint64 public renewal;

    event Kept(string name, uint256 paid, uint64 expires, address indexed by);

    error NotOwner(address caller);
    error NotYetNeeded(uint64 expires);
    error NotOurs(string name);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor(uint64 renewal_) payable {
        owner = msg.sender;
        renewal = renewal_;
    }

    receive() external payable {}

    /// @notice First step. `commitment` is keccak256(abi.encode(name, address(this), duration, secret)), computed off chain.
    function commit(bytes32 commitment) external onlyOwner {
        NAMES.commit(commitment);
    }

    /// @notice Second step, at least rules().minCommitmentAge later. Pays from this contract's balance.
    function register(string calldata name, uint64 duration, bytes32 secret) external onlyOwner returns (uint64) {
        return NAMES.register{value: NAMES.price(name, duration)}(name, address(this), duration, secret);
    }

    /// @notice `operator` may write the name's records from now on.
    function appoint(string calldata name, address operator) external onlyOwner {
        NAMES.approve(name, operator);
    }

    /// @notice Renews a name of this contract that ends soon. Anybody may call it: all it can do is what the owner has allowed.
    function keepAlive(string calldata name) external {
        if (renewal == 0 || NAMES.getName(name).owner != address(this)) revert NotOurs(name);
        uint64 ends = NAMES.expires(name);
        if (ends > block.timestamp + RENEW_BEFORE) revert NotYetNeeded(ends);
        uint256 cost = NAMES.price(name, renewal);
        uint64 expires = NAMES.renew{value: cost}(name, renewal);
        emit Kept(name, cost, expires, msg.sender);
    }

    /// @notice Gives a name away.
    function release(string calldata name, address to) external onlyOwner {
        NAMES.transfer(name, to);
    }
}
