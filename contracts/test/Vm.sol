// SPDX-License-Identifier: Apache-2.0
// The part of Foundry's cheat codes that the tests of this folder use; written down here because forge-std is no npm package of Foundry's.
pragma solidity ^0.8.30;

interface Vm {
    function assume(bool condition) external pure;
    function addr(uint256 key) external pure returns (address);
    function deal(address account, uint256 balance) external;
    function envOr(string calldata name, address otherwise) external view returns (address);
    function envUint(string calldata name) external view returns (uint256);
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 selector) external;
    function prank(address sender) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function skip(bool whether, string calldata why) external;
    function startBroadcast() external;
    function stopBroadcast() external;
    function warp(uint256 timestamp) external;
}

/// @dev The address at which forge answers: the last 20 bytes of keccak256("hevm cheat code").
abstract contract ForgeTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Different(uint256 found, uint256 expected);

    function assertEq(uint256 found, uint256 expected) internal pure {
        if (found != expected) revert Different(found, expected);
    }

    function assertEq(address found, address expected) internal pure {
        assertEq(uint256(uint160(found)), uint256(uint160(expected)));
    }
}
