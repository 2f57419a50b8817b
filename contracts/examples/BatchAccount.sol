// SPDX-License-Identifier: Apache-2.0
// Code that an account without code can take on by an EIP-7702 transaction, to do several things at once.
pragma solidity ^0.8.30;

/// @title Several calls in one transaction, all or none
/// @dev   Runs as the account that delegated to it: `address(this)` is that account, which alone may ask for calls.
contract BatchAccount {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    event Executed(uint256 calls);

    error NotSelf(address caller);
    /// @notice Call number `index` failed with `reason`.
    error CallFailed(uint256 index, bytes reason);

    /// @notice Makes the calls in order and returns what they returned.
    function execute(Call[] calldata calls) external payable returns (bytes[] memory results) {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory output) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!done) revert CallFailed(i, output);
            results[i] = output;
        }
        emit Executed(calls.length);
    }

    /// @notice The account stays able to receive value, and ERC-721 tokens by safe transfer.
    receive() external payable {}

    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC721Received.selector;
    }
}
