// SPDX-License-Identifier: Apache-2.0
// Test helpers: contracts that are given ERC-721 tokens, and one that shows each way in which a call can fail.
pragma solidity ^0.8.30;

contract GoodReceiver {
    event Got(address operator, address from, uint256 tokenId, bytes data);

    function onERC721Received(address operator, address from, uint256 tokenId, bytes calldata data) external returns (bytes4) {
        emit Got(operator, from, tokenId, data);
        return this.onERC721Received.selector;
    }
}

contract RefusingReceiver {
    error NotWanted(uint256 tokenId);

    function onERC721Received(address, address, uint256 tokenId, bytes calldata) external pure returns (bytes4) {
        revert NotWanted(tokenId);
    }
}

contract WrongAnswerReceiver {
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return 0xdeadbeef;
    }
}

contract Failures {
    uint256[] private list_;

    error Custom(uint256 code, string text);

    function withReason() external pure {
        revert("the reason");
    }

    function withCustomError() external pure {
        revert Custom(7, "seven");
    }

    function withoutReason() external pure {
        revert();
    }

    function panics(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function outOfBounds() external view returns (uint256) {
        return list_[3];
    }

    function invalidOpcode() external pure {
        assembly {
            invalid()
        }
    }

    function endless() external {
        while (true) list_.push(gasleft());
    }
}
