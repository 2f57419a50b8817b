// SPDX-License-Identifier: Apache-2.0
// Properties of the name auction over random bids, run by forge with a clock of its own.
pragma solidity ^0.8.30;

import {NameAuction} from "../examples/NameAuction.sol";
import {ForgeTest} from "./Vm.sol";
import {ReentrantBidder} from "./ReentrantBidder.sol";

contract NameAuctionTest is ForgeTest {
    NameAuction private auction;
    address private constant SELLER = address(0xbe);
    uint256 private constant RESERVE = 1 ether;
    bytes32 private constant SALT = "salt";

    function setUp() external {
        auction = new NameAuction(SELLER, 60, 60, RESERVE);
    }

    /// @notice Whatever three people bid, and whoever forgets to reveal: the highest revealed bid wins and pays the second
    ///         highest or the reserve, and every wei can be withdrawn by somebody.
    function testFuzz_SecondPriceAndNoWeiLost(uint96[3] calldata bids, uint96[3] calldata hidden, uint8 revealed) external {
        bytes32 name = auction.open("some-name");
        uint256 deposits;
        for (uint160 i = 0; i < 3; ++i) {
            uint256 deposit = uint256(bids[i]) + hidden[i] + 1;
            deposits += deposit;
            vm.deal(bidder(i), deposit);
            bytes32 commitment = auction.commitmentOf(name, bidder(i), bids[i], SALT);
            vm.prank(bidder(i));
            auction.commit{value: deposit}(name, commitment);
        }
        vm.warp(block.timestamp + 60);
        uint256 highest;
        uint256 second;
        address winner;
        for (uint160 i = 0; i < 3; ++i) {
            if (revealed & (1 << i) == 0) continue;
            vm.prank(bidder(i));
            auction.reveal(name, bids[i], SALT);
            if (bids[i] >= RESERVE && bids[i] > highest) {
                (second, highest, winner) = (highest, bids[i], bidder(i));
            } else if (bids[i] > second) {
                second = bids[i];
            }
        }
        vm.warp(block.timestamp + 60);
        auction.settle(name);
        assertEq(auction.ownerOf(name), winner);
        for (uint160 i = 0; i < 3; ++i) {
            if (revealed & (1 << i) != 0) continue;
            vm.prank(bidder(i));
            auction.reclaim(name);
        }
        uint256 paid = winner == address(0) ? 0 : (second > RESERVE ? second : RESERVE);
        uint256 forfeited;
        for (uint160 i = 0; i < 3; ++i) {
            if (revealed & (1 << i) == 0) forfeited += (uint256(bids[i]) + hidden[i] + 1) / auction.FORFEIT_DIVISOR();
            withdraw(bidder(i));
        }
        withdraw(SELLER);
        assertEq(SELLER.balance, paid + forfeited);
        assertEq(address(auction).balance, 0);
    }

    /// @notice A bidder that calls `withdraw` again while it is paid gets its due once.
    function test_NobodyIsPaidTwice() external {
        bytes32 name = auction.open("prize");
        ReentrantBidder thief = new ReentrantBidder{value: 5 ether}(auction);
        vm.deal(bidder(0), 9 ether);
        bytes32 honest = auction.commitmentOf(name, bidder(0), 9 ether, SALT);
        vm.prank(bidder(0));
        auction.commit{value: 9 ether}(name, honest);
        thief.commit(name, auction.commitmentOf(name, address(thief), 2 ether, SALT), 5 ether);
        vm.warp(block.timestamp + 60);
        thief.reveal(name, 2 ether, SALT);
        vm.expectRevert(abi.encodeWithSelector(NameAuction.NothingCommitted.selector, name, address(thief)));
        thief.reveal(name, 2 ether, SALT);
        vm.prank(bidder(0));
        auction.reveal(name, 9 ether, SALT);
        thief.attack(false);
        assertEq(thief.attempts(), 1);
        assertEq(address(thief).balance, 5 ether);
        assertEq(address(auction).balance, 9 ether);
    }

    function withdraw(address account) private {
        if (auction.refunds(account) == 0) return;
        vm.prank(account);
        auction.withdraw();
    }

    function bidder(uint160 i) private pure returns (address) {
        return address(0xb1d0000 + i);
    }
}
