// SPDX-License-Identifier: Apache-2.0
// A contract that rents a container through BonusCloud's Market and pays it from its own balance.
pragma solidity ^0.8.30;

import {IMarket} from "../interfaces/IMarket.sol";

/// @title A purse that keeps one container running
/// @notice Whoever deployed it decides what runs; the money is the contract's own. Market streams the escrow to the worker by
///         the second, so nothing is lost when the owner forgets to stop: an unused remainder comes back at the end.
/// @dev    Market (system contract 0x...b003) records this contract as the order's user: only this contract can stop the order,
///         and the remainder is credited to this contract's balance without a call, so no `receive` runs for it.
contract ContainerRenter {
    IMarket public constant MARKET = IMarket(0x000000000000000000000000000000000000b003);

    address public owner;
    /// @notice The order placed last; 0 before the first.
    uint256 public orderId;
    /// @notice `keepAlive` adds `refill` wei when the escrow lasts for less than `refillBelow` seconds; 0: never.
    uint64 public refillBelow;
    uint256 public refill;

    event Funded(address indexed from, uint256 amount);
    event Rented(uint256 indexed orderId, bytes32 indexed imageDigest, uint256 deposit);
    event ToppedUp(uint256 indexed orderId, uint256 amount, address indexed by);
    event Stopped(uint256 indexed orderId, uint256 returned);
    event Withdrawn(address indexed to, uint256 amount);
    event RefillChanged(uint64 below, uint256 amount);
    event OwnershipTransferred(address indexed from, address indexed to);

    error NotOwner(address caller);
    error ZeroAddress();
    /// @notice The contract's own balance does not cover what it should pay.
    error InsufficientBalance(uint256 available, uint256 needed);
    /// @notice The order placed before is still open or matched: one container at a time.
    error AlreadyRenting(uint256 orderId);
    error NothingRented();
    /// @notice The escrow still lasts for `secondsLeft`, not less than `refillBelow`.
    error NotYetNeeded(uint64 secondsLeft, uint64 refillBelow);
    error TransferFailed(address to, uint256 amount);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor() payable {
        owner = msg.sender;
        emit OwnershipTransferred(address(0), msg.sender);
        if (msg.value != 0) emit Funded(msg.sender, msg.value);
    }

    receive() external payable {
        emit Funded(msg.sender, msg.value);
    }

    /// @notice Orders a container and pays `deposit` wei of this contract's balance into its escrow.
    /// @param  spec What to run, with which resources and at which highest price: see IMarket.OrderSpec. The workload document
    ///              it names must have been stored with a node before.
    /// @return id   The order's number at Market. It is matched with a worker at the end of this block or of a later one.
    function rent(IMarket.OrderSpec calldata spec, uint256 deposit) external onlyOwner returns (uint256 id) {
        if (isRenting()) revert AlreadyRenting(orderId);
        _requireBalance(deposit);
        // Market is native code of the chain and calls nobody back: the id can be stored after the call.
        id = MARKET.createOrder{value: deposit}(spec);
        orderId = id;
        emit Rented(id, spec.imageDigest, deposit);
    }

    /// @notice Adds to the escrow from this contract's balance.
    function topUp(uint256 amount) external onlyOwner {
        _topUp(amount);
    }

    /// @notice From now on `keepAlive` may add `amount` wei whenever the escrow lasts for less than `below` seconds.
    function setRefill(uint64 below, uint256 amount) external onlyOwner {
        refillBelow = below;
        refill = amount;
        emit RefillChanged(below, amount);
    }

    /// @notice Adds the refill when it is due. Anybody may call it: all it can do is what the owner has allowed.
    function keepAlive() external {
        if (!isRenting()) revert NothingRented();
        uint64 left = MARKET.secondsLeft(orderId);
        if (left >= refillBelow) revert NotYetNeeded(left, refillBelow);
        _topUp(refill);
    }

    /// @notice Ends the container. What is left of the escrow comes back to this contract.
    function stop() external onlyOwner returns (uint256 returned) {
        if (!isRenting()) revert NothingRented();
        uint256 before = address(this).balance;
        MARKET.stop(orderId);
        returned = address(this).balance - before;
        emit Stopped(orderId, returned);
    }

    /// @notice Takes money out of this contract's balance; the escrow of a running container is not part of it.
    function withdraw(address payable to, uint256 amount) external onlyOwner {
        if (to == address(0)) revert ZeroAddress();
        _requireBalance(amount);
        emit Withdrawn(to, amount);
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    function transferOwnership(address to) external onlyOwner {
        if (to == address(0)) revert ZeroAddress();
        emit OwnershipTransferred(owner, to);
        owner = to;
    }

    /// @notice Whether the order placed last is open or matched.
    function isRenting() public view returns (bool) {
        if (orderId == 0) return false;
        return MARKET.getOrder(orderId).state != IMarket.OrderState.Closed;
    }

    /// @notice Where the order placed last stands.
    function status()
        external
        view
        returns (IMarket.OrderState state, uint256 escrow, uint64 secondsLeft, uint16 liveReplicas, string memory explanation)
    {
        if (orderId == 0) revert NothingRented();
        IMarket.Order memory order = MARKET.getOrder(orderId);
        return (order.state, order.escrow, MARKET.secondsLeft(orderId), order.liveReplicas, order.explanation);
    }

    function _topUp(uint256 amount) private {
        if (!isRenting()) revert NothingRented();
        _requireBalance(amount);
        MARKET.topUp{value: amount}(orderId);
        emit ToppedUp(orderId, amount, msg.sender);
    }

    function _requireBalance(uint256 amount) private view {
        if (address(this).balance < amount) revert InsufficientBalance(address(this).balance, amount);
    }
}
