// SPDX-License-Identifier: Apache-2.0
// Loops for eth_call benchmarks: each does one kind of work `n` times and returns a checksum, so that two nodes' answers can be compared.
pragma solidity ^0.8.30;

/// @title One kind of work, many times
contract Loops {
    mapping(uint256 key => uint256) private words_;

    /// @notice Additions, multiplications, divisions and modular arithmetic on full words, and comparisons of signed ones.
    function arithmetic(uint256 n) external pure returns (uint256 x) {
        unchecked {
            x = 0x9e3779b97f4a7c15f39cc0605cedc8341082276bf3a27251f86c6a11d0c18e95;
            for (uint256 i = 1; i <= n; ++i) {
                x = x * 0xda942042e4dd58b5d1b54a32d192ed03 + i;
                x ^= x >> 99;
                x += mulmod(x, i, 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001);
                x += addmod(x, x >> 3, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed);
                x += (x / (i + 7)) ^ (x % ((i << 130) | 1));
                if (int256(x) < 0) x ^= uint256(int256(x) / 3);
            }
        }
    }

    /// @notice Hashes of 64 bytes, each of the hash before.
    function hashing(uint256 n) external pure returns (bytes32 h) {
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                mstore(0, h)
                mstore(32, i)
                h := keccak256(0, 64)
            }
        }
    }

    /// @notice Hashes of 4 KiB, each written over the beginning of the next.
    function hashingLong(uint256 n) external pure returns (bytes32 h) {
        bytes memory text = new bytes(4096);
        for (uint256 i = 0; i < n; ++i) {
            h = keccak256(text);
            assembly ("memory-safe") {
                mstore(add(text, 32), h)
            }
        }
    }

    /// @notice Words written to and read from 32 KiB of memory in a scattered order, with a copy of 1 KiB now and then.
    function memoryWork(uint256 n) external pure returns (uint256 sum) {
        bytes memory area = new bytes(32_768);
        assembly ("memory-safe") {
            let base := add(area, 32)
            let x := 1
            for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                x := add(mul(x, 6364136223846793005), 1442695040888963407)
                let place := add(base, and(shr(20, x), 0x7fe0))
                mstore(place, add(x, mload(place)))
                mstore8(add(base, and(shr(40, x), 0x7fff)), i)
                sum := xor(sum, mload(add(base, and(shr(25, x), 0x7fe0))))
                if iszero(and(i, 63)) { mcopy(base, add(base, 0x4000), 0x400) }
            }
        }
    }

    /// @notice Slots of a mapping written and read: `n` steps over 256 slots, cold the first time, warm later.
    function storageWork(uint256 n) external returns (uint256 sum) {
        unchecked {
            for (uint256 i = 0; i < n; ++i) {
                uint256 key = (i * 167) & 255;
                uint256 value = words_[key];
                sum += value;
                words_[key] = value + i + 1;
            }
        }
    }

    /// @notice Slots read one after the other, each cold once.
    function storageReads(uint256 n) external view returns (uint256 sum) {
        unchecked {
            for (uint256 i = 0; i < n; ++i) sum += words_[i] + i;
        }
    }

    /// @notice Calls of this contract to itself, each with a frame, call data and return data of its own.
    function calls(uint256 n) external view returns (uint256 sum) {
        unchecked {
            for (uint256 i = 0; i < n; ++i) sum += this.leaf(i);
        }
    }

    function leaf(uint256 i) external pure returns (uint256) {
        unchecked {
            return i * i + 1;
        }
    }
}
