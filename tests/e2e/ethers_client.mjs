// ethers v6 against a node: value transfer, fee data, blocks, logs, a system contract's view, events and revert reason.
import assert from 'node:assert/strict';
import {ethers} from 'ethers';

const [url, mnemonic] = process.argv.slice(2);
// Balances are compared right after a block: no cached answers.
const provider = new ethers.JsonRpcProvider(url, undefined, {cacheTimeout: -1});
const wallet = ethers.HDNodeWallet.fromPhrase(mnemonic).connect(provider);

const network = await provider.getNetwork();
assert.ok(network.chainId > 0n);

const to = ethers.getAddress('0x00000000000000000000000000000000000000e1');
const before = await provider.getBalance(to);
const receipt = await (await wallet.sendTransaction({to, value: ethers.parseEther('0.25')})).wait();
assert.equal(receipt.status, 1);
assert.equal((await provider.getBalance(to)) - before, ethers.parseEther('0.25'));

const legacy = await (await wallet.sendTransaction({to, value: 1n, type: 0})).wait();
assert.equal(legacy.type, 0);

const block = await provider.getBlock(receipt.blockNumber, true);
assert.equal(block.hash, receipt.blockHash);
assert.ok(block.prefetchedTransactions.some((tx) => tx.hash === receipt.hash));
assert.ok((await provider.getFeeData()).maxFeePerGas > 0n);

const nodes = new ethers.Contract('0x000000000000000000000000000000000000b002', [
  'function count() view returns (uint256)',
  'function heartbeat()',
  'event NodeRegistered(address indexed account, bytes32 indexed nodeId, bytes32 nodeKey, uint8 tier, string region)',
], wallet);
assert.ok((await nodes.count()) >= 1n);
const registered = await nodes.queryFilter(nodes.filters.NodeRegistered(), 0);
assert.ok(registered.length >= 1);
await assert.rejects(nodes.heartbeat.estimateGas(), (error) => error.code === 'CALL_EXCEPTION' && error.reason.length > 0);

const batch = await fetch(url, {
  method: 'POST', headers: {'content-type': 'application/json'},
  body: JSON.stringify(['eth_chainId', 'no_such_method'].map((method, id) => ({jsonrpc: '2.0', id, method, params: []}))),
}).then((response) => response.json());
assert.equal(BigInt(batch.find((answer) => answer.id === 0).result), network.chainId);
assert.equal(batch.find((answer) => answer.id === 1).error.code, -32601);

console.log('ethers: ok');
