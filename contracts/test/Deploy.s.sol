// SPDX-License-Identifier: Apache-2.0
// A forge script: puts the examples on a chain and uses them. forge script test/Deploy.s.sol --rpc-url URL --broadcast
pragma solidity ^0.8.30;

import {ExampleCollectible} from "../examples/ExampleCollectible.sol";
import {ExampleToken} from "../examples/ExampleToken.sol";
import {Vm} from "./Vm.sol";

contract Deploy {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns (ExampleToken token, ExampleCollectible art) {
        vm.startBroadcast();
        token = new ExampleToken("Script", "SCR", 1000 ether);
        art = new ExampleCollectible("Script Art", "SART");
        token.transfer(address(0xc1), 7 ether);
        art.mint(address(0xc1), "bonus://script");
        vm.stopBroadcast();
    }
}
