// SPDX-License-Identifier: Apache-2.0
// Test helper: a bidder that tries to be paid twice by calling `withdraw` again while it is being paid.
pragma solidity ^0.8.30;

import {NameAuction} from "../examples/NameAuction.sol";

contract ReentrantBidder {
    NameAuction private immutable auction_;
    /// @notice How often it called back in, and whether it was ever refused or paid for it.
    uint256 public attempts;
    bytes public refusal;
    bool public paidTwice;
    /// @notice Let the refusal of the inner call fail the outer one too.
    bool public insist;

    constructor(NameAuction auction) payable {
        auction_ = auction;
    }

    function commit(bytes32 nameHash, bytes32 commitment, uint256 deposit) external {
        auction_.commit{value: deposit}(nameHash, commitment);
    }

    function reveal(bytes32 nameHash, uint256 amount, bytes32 salt) external {
        auction_.reveal(nameHash, amount, salt);
    }

    function attack(bool insist_) external returns (uint256) {
        insist = insist_;
        return auction_.withdraw();
    }

    receive() external payable {
        ++attempts;
        try auction_.withdraw() {
            paidTwice = true;
        } catch (bytes memory reason) {
            refusal = reason;
            require(!insist, "no second payment");
        }
    }
}
