// SPDX-License-Identifier: Apache-2.0
// The arithmetic of swaps in a pool with concentrated liquidity: square-root prices with 96 fractional bits, amounts rounded in the
// pool's favour, products of 512 bits.
pragma solidity ^0.8.30;

/// @title Steps of swaps within one price range
library SwapSteps {
    uint256 internal constant ONE = 1 << 96; // of a price
    uint256 internal constant FEE_ONE = 1_000_000;

    error Overflow();

    /// @notice floor(a * b / d) with a product of 512 bits. Reverts when the result does not fit or d is 0.
    function mulDiv(uint256 a, uint256 b, uint256 d) internal pure returns (uint256 result) {
        unchecked {
            // The product modulo 2^256 and modulo 2^256 - 1 give both its halves.
            uint256 low = a * b;
            uint256 wrapped = mulmod(a, b, type(uint256).max);
            uint256 high = wrapped - low - (wrapped < low ? 1 : 0);
            if (d <= high) revert Overflow();
            if (high == 0) return low / d;
            // Without its remainder the product is a multiple of d; then the factors of two can be divided out of both.
            uint256 rest = mulmod(a, b, d);
            if (rest > low) --high;
            low -= rest;
            uint256 two = d & (~d + 1);
            d /= two;
            low = (low / two) | (high * ((~two + 1) / two + 1));
            // The inverse of odd d modulo 2^256: 3d ^ 2 has 5 bits right, each of Newton's steps doubles them.
            uint256 inverse = (3 * d) ^ 2;
            for (uint256 bits = 5; bits < 256; bits *= 2) inverse *= 2 - d * inverse;
            return low * inverse;
        }
    }

    function mulDivUp(uint256 a, uint256 b, uint256 d) internal pure returns (uint256 result) {
        result = mulDiv(a, b, d);
        if (mulmod(a, b, d) != 0) ++result;
    }

    function divUp(uint256 a, uint256 d) internal pure returns (uint256) {
        return a / d + (a % d == 0 ? 0 : 1);
    }

    /// @notice Amount of the first coin between two prices: liquidity * (1/low - 1/high).
    function amount0(uint256 low, uint256 high, uint128 liquidity, bool up) internal pure returns (uint256) {
        uint256 scaled = uint256(liquidity) << 96;
        return up ? divUp(mulDivUp(scaled, high - low, high), low) : mulDiv(scaled, high - low, high) / low;
    }

    /// @notice Amount of the second coin between two prices: liquidity * (high - low).
    function amount1(uint256 low, uint256 high, uint128 liquidity, bool up) internal pure returns (uint256) {
        return up ? mulDivUp(liquidity, high - low, ONE) : mulDiv(liquidity, high - low, ONE);
    }

    /// @notice The price after `amount` of the first coin went in: it falls.
    function priceAfter0(uint256 price, uint128 liquidity, uint256 amount) internal pure returns (uint256) {
        uint256 scaled = uint256(liquidity) << 96;
        return mulDivUp(scaled, price, scaled + amount * price);
    }

    /// @notice The price after `amount` of the second coin went in: it rises.
    function priceAfter1(uint256 price, uint128 liquidity, uint256 amount) internal pure returns (uint256) {
        return price + mulDiv(amount, ONE, liquidity);
    }

    /// @notice Swaps up to `remaining` of what goes in, at most until the price is `target`.
    /// @param  feePips fee in millionths of what goes in
    /// @return next the price afterwards; what went in without the fee, what comes out, the fee
    function step(uint256 price, uint256 target, uint128 liquidity, uint256 remaining, uint256 feePips)
        internal
        pure
        returns (uint256 next, uint256 paid, uint256 got, uint256 fee)
    {
        bool down = target <= price;
        uint256 usable = mulDiv(remaining, FEE_ONE - feePips, FEE_ONE);
        uint256 whole = down ? amount0(target, price, liquidity, true) : amount1(price, target, liquidity, true);
        if (usable >= whole) {
            (next, paid) = (target, whole);
            fee = mulDivUp(paid, feePips, FEE_ONE - feePips);
        } else {
            next = down ? priceAfter0(price, liquidity, usable) : priceAfter1(price, liquidity, usable);
            paid = down ? amount0(next, price, liquidity, true) : amount1(price, next, liquidity, true);
            fee = remaining - paid; // what the rounding left over is the pool's
        }
        got = down ? amount1(next, price, liquidity, false) : amount0(price, next, liquidity, false);
    }
}

/// @title Many swap steps in one call
contract SwapMath {
    /// @notice `n` swaps of pseudo-random size and direction between the prices 1/4 and 4; returns a checksum.
    function run(uint256 n) external pure returns (uint256 sum) {
        uint256 price = SwapSteps.ONE;
        uint256 random = 0x853c49e6748fea9b;
        for (uint256 i = 0; i < n; ++i) {
            unchecked {
                random = random * 6364136223846793005 + 1442695040888963407;
            }
            uint256 target = random & (1 << 60) == 0 ? SwapSteps.ONE / 4 : SwapSteps.ONE * 4;
            uint128 liquidity = uint128(1e18 + (random >> 64) % 1e24);
            uint256 remaining = 1e12 + (random >> 128) % 1e21;
            (uint256 next, uint256 paid, uint256 got, uint256 fee) = SwapSteps.step(price, target, liquidity, remaining, 3000);
            price = next;
            unchecked {
                sum = (sum << 1 | sum >> 255) ^ (next + paid + got + fee);
            }
        }
    }

    function mulDiv(uint256 a, uint256 b, uint256 d) external pure returns (uint256) {
        return SwapSteps.mulDiv(a, b, d);
    }

    function step(uint256 price, uint256 target, uint128 liquidity, uint256 remaining, uint256 feePips)
        external
        pure
        returns (uint256 next, uint256 paid, uint256 got, uint256 fee)
    {
        return SwapSteps.step(price, target, liquidity, remaining, feePips);
    }
}
