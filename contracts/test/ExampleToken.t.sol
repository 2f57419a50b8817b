// SPDX-License-Identifier: Apache-2.0
// Properties of the ERC-20 over random amounts and people, run by forge; and the token on the chain that was forked.
pragma solidity ^0.8.30;

import {ExampleToken} from "../examples/ExampleToken.sol";
import {ForgeTest} from "./Vm.sol";

contract ExampleTokenTest is ForgeTest {
    ExampleToken private token;
    uint256 private constant SUPPLY = 1_000_000 ether;

    function setUp() external {
        token = new ExampleToken("Example", "EXM", SUPPLY);
    }

    function testFuzz_TransfersMoveAndCreateNothing(address to, uint256 value) external {
        vm.assume(to != address(0) && to != address(this));
        value %= SUPPLY + 1;
        token.transfer(to, value);
        assertEq(token.balanceOf(to), value);
        assertEq(token.balanceOf(address(this)), SUPPLY - value);
    }

    function testFuzz_TransferToOneselfChangesNothing(uint256 value) external {
        token.transfer(address(this), value % (SUPPLY + 1));
        assertEq(token.balanceOf(address(this)), SUPPLY);
    }

    function testFuzz_NobodySpendsMoreThanAllowed(address spender, uint256 allowed, uint256 value) external {
        vm.assume(spender != address(0));
        allowed %= SUPPLY;
        value = allowed + 1 + value % (SUPPLY - allowed);
        token.approve(spender, allowed);
        vm.prank(spender);
        vm.expectRevert(abi.encodeWithSelector(ExampleToken.ERC20InsufficientAllowance.selector, spender, allowed, value));
        token.transferFrom(address(this), spender, value);
    }

    function testFuzz_PermitHoldsOnceForItsSigner(uint256 key, uint256 value) external {
        key = 1 + key % 1e60; // below the order of the curve
        address owner = vm.addr(key);
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner, address(this), value, 0, block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), message)));
        token.permit(owner, address(this), value, block.timestamp, v, r, s);
        assertEq(token.allowance(owner, address(this)), value);
        vm.expectRevert(ExampleToken.ERC2612InvalidSigner.selector);
        this.permitAgain(owner, value, v, r, s);
    }

    /// @dev expectRevert with a selector alone wants the whole error; this hands on only its first four bytes.
    function permitAgain(address owner, uint256 value, uint8 v, bytes32 r, bytes32 s) external {
        try token.permit(owner, address(this), value, block.timestamp, v, r, s) {}
        catch (bytes memory reason) {
            bytes4 selector = bytes4(reason);
            assembly ("memory-safe") {
                mstore(0, selector)
                revert(0, 4)
            }
        }
    }

    /// @notice A token that lives on the forked chain (TOKEN), whose holder (HOLDER) has BALANCE of it.
    function test_ReadsAndUsesTheForkedChain() external {
        address place = vm.envOr("TOKEN", address(0));
        if (place == address(0)) vm.skip(true, "no TOKEN: not forked from a chain that has one");
        ExampleToken there = ExampleToken(place);
        address holder = vm.envOr("HOLDER", address(0));
        uint256 balance = vm.envUint("BALANCE");
        assertEq(block.chainid, vm.envUint("CHAIN_ID"));
        assertEq(there.balanceOf(holder), balance);
        vm.prank(holder);
        there.transfer(address(this), balance);
        assertEq(there.balanceOf(address(this)), balance);
    }
}
