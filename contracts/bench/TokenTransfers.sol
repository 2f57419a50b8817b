// SPDX-License-Identifier: Apache-2.0
// Many ERC-20 transfers in one call, to receivers that have none of the token yet or have it already.
pragma solidity ^0.8.30;

import {ExampleToken} from "../examples/ExampleToken.sol";

contract TokenTransfers {
    ExampleToken public immutable token;

    constructor() {
        token = new ExampleToken("Bench", "BEN", type(uint128).max);
    }

    /// @notice `n` transfers to `receivers` different accounts in turn. Returns what the last one holds.
    function run(uint256 n, uint256 receivers) external returns (uint256) {
        address to;
        for (uint256 i = 0; i < n; ++i) {
            to = address(uint160(0x1000000 + i % receivers));
            token.transfer(to, i + 1);
        }
        return token.balanceOf(to);
    }
}
