// SPDX-License-Identifier: Apache-2.0
// Properties of the benchmark's swap arithmetic over random amounts, run by forge.
pragma solidity ^0.8.30;

import {SwapMath, SwapSteps} from "../bench/SwapMath.sol";
import {ForgeTest} from "./Vm.sol";

contract SwapMathTest is ForgeTest {
    SwapMath private swap;

    function setUp() external {
        swap = new SwapMath();
    }

    /// @dev q is right exactly when a * b - q * d, computed modulo 2^512, is a number from 0 to d - 1.
    function testFuzz_MulDivIsTheFloor(uint256 a, uint256 b, uint256 d) external {
        (uint256 high, uint256 low) = product(a, b);
        if (d <= high) {
            vm.expectRevert(SwapSteps.Overflow.selector);
            swap.mulDiv(a, b, d);
            return;
        }
        (uint256 high2, uint256 low2) = product(swap.mulDiv(a, b, d), d);
        unchecked {
            uint256 rest = low - low2;
            assertEq(high - high2 - (low < low2 ? 1 : 0), 0);
            assertEq(rest < d ? 1 : 0, 1);
        }
    }

    /// @notice A step never passes its target, never takes more than it was given, and never gives more than the price allows.
    function testFuzz_StepsFavourThePool(uint96 from, uint96 target, uint128 liquidity, uint128 remaining, uint16 feePips) external view {
        uint256 price = SwapSteps.ONE / 4 + uint256(from) % (4 * SwapSteps.ONE);
        uint256 limit = SwapSteps.ONE / 4 + uint256(target) % (4 * SwapSteps.ONE);
        liquidity = uint128(1 + liquidity % 1e30);
        remaining %= 1e30;
        (uint256 next, uint256 paid, uint256 got, uint256 fee) = swap.step(price, limit, liquidity, remaining, feePips);
        bool down = limit <= price;
        assertEq(down ? (next >= limit && next <= price ? 1 : 0) : (next <= limit && next >= price ? 1 : 0), 1);
        assertEq(paid + fee <= remaining ? 1 : 0, 1);
        // Value of what comes out, at the better of both prices, against what went in: out <= in * price^2 (or / price^2).
        uint256 best = down ? price : next;
        uint256 worst = down ? next : price;
        uint256 bound = down
            ? SwapSteps.mulDivUp(SwapSteps.mulDivUp(paid, best, SwapSteps.ONE), best, SwapSteps.ONE)
            : SwapSteps.mulDivUp(SwapSteps.mulDivUp(paid, SwapSteps.ONE, worst), SwapSteps.ONE, worst);
        assertEq(got <= bound ? 1 : 0, 1);
    }

    function product(uint256 a, uint256 b) private pure returns (uint256 high, uint256 low) {
        unchecked {
            // By hand, in halves: independent of the mulmod trick that is tested.
            uint256 a0 = uint128(a);
            uint256 a1 = a >> 128;
            uint256 b0 = uint128(b);
            uint256 b1 = b >> 128;
            uint256 middle = a1 * b0 + (a0 * b0 >> 128);
            uint256 middle2 = a0 * b1 + uint128(middle);
            high = a1 * b1 + (middle >> 128) + (middle2 >> 128);
            low = a * b;
        }
    }
}
