// viem drives the example contracts: deploys, simulates, reads in batches, watches blocks and events by polling and by WebSocket,
// sends every transaction type. Variables: evm_lib.mjs. The same file passes against anvil.
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {
  BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain, encodeFunctionData, getContractAddress,
  hashTypedData, hexToBigInt, http, keccak256, encodeAbiParameters, parseEther, parseEventLogs, parseSignature, recoverTypedDataAddress, webSocket, zeroAddress,
} from 'viem';
import {privateKeyToAccount} from 'viem/accounts';
import {accounts, artifact, connect, rpc, until, url} from './evm_lib.mjs';

const ethersProvider = connect(); // only for funding new accounts
const pollingInterval = 150;
const chain = defineChain({
  id: Number((await rpc('eth_chainId')).result), name: 'devnet', nativeCurrency: {name: 'BNC', symbol: 'BNC', decimals: 18}, rpcUrls: {default: {http: [url]}},
});
const client = createPublicClient({chain, transport: http(url, {batch: true}), pollingInterval, cacheTime: 0});

async function wallets(count) {
  return (await accounts(ethersProvider, count)).map((wallet) => createWalletClient({
    chain, transport: http(url), pollingInterval, account: privateKeyToAccount(wallet.privateKey),
  }));
}
async function mined(hash) {
  const receipt = await client.waitForTransactionReceipt({hash, timeout: 60_000});
  assert.equal(receipt.status, 'success');
  return receipt;
}
async function deploy(wallet, name, args = []) {
  const {abi, bytecode} = artifact(name);
  const receipt = await mined(await wallet.deployContract({abi, bytecode, args}));
  return {address: receipt.contractAddress, abi};
}
/// Name and arguments of the custom error.
async function revert(promise) {
  const error = await promise.then(() => assert.fail('it succeeded'), (thrown) => thrown);
  assert.ok(error instanceof BaseError, `${error}`);
  const reverted = error.walk((inner) => inner instanceof ContractFunctionRevertedError);
  assert.ok(reverted, `${error}`);
  return reverted;
}

describe('viem', {concurrency: 1}, () => {
  let alice, bob, token;

  before(async () => {
    [alice, bob] = await wallets(2);
    token = await deploy(alice, 'ExampleToken', ['Viem', 'VIE', parseEther('1000')]);
  });
  const write = async (wallet, functionName, args, more = {}) => mined(await wallet.writeContract({...token, functionName, args, ...more}));
  const read = (functionName, args = []) => client.readContract({...token, functionName, args});

  test('deploys, reads, simulates and writes', async () => {
    const {request, result} = await client.simulateContract({...token, functionName: 'transfer', args: [bob.account.address, 5n], account: alice.account});
    assert.equal(result, true);
    const receipt = await mined(await alice.writeContract(request));
    const [moved] = parseEventLogs({abi: token.abi, logs: receipt.logs});
    assert.deepEqual([moved.eventName, moved.args.to, moved.args.value], ['Transfer', bob.account.address, 5n]);
    assert.equal(await read('balanceOf', [bob.account.address]), 5n);
    const gas = await client.estimateContractGas({...token, functionName: 'transfer', args: [bob.account.address, 5n], account: alice.account});
    assert.ok(gas >= receipt.gasUsed - 17_100n && gas < 100_000n, `${gas}`); // the slot of bob is no longer empty
  });

  test('decodes custom errors, reasons and panics', async () => {
    const error = await revert(client.simulateContract({...token, functionName: 'transfer', args: [bob.account.address, parseEther('9999')], account: alice.account}));
    assert.equal(error.data.errorName, 'ERC20InsufficientBalance');
    assert.equal(error.data.args[2], parseEther('9999'));
    const failing = await deploy(bob, 'Failures');
    assert.equal((await revert(client.readContract({...failing, functionName: 'withReason'}))).reason, 'the reason');
    assert.deepEqual((await revert(client.readContract({...failing, functionName: 'withCustomError'}))).data.args, [7n, 'seven']);
    assert.match((await revert(client.readContract({...failing, functionName: 'panics', args: [0n]}))).message, /zero/i);
  });

  test('reads many things at once: JSON-RPC batches, and a multicall that needs no contract on the chain', async () => {
    const people = [alice.account.address, bob.account.address, zeroAddress];
    const batched = await Promise.all(people.map((person) => read('balanceOf', [person])));
    const calls = [...people.map((person) => ({...token, functionName: 'balanceOf', args: [person]})), {...token, functionName: 'transfer', args: [zeroAddress, 1n]}];
    const results = await client.multicall({contracts: calls, deployless: true});
    assert.deepEqual(results.slice(0, 3).map((entry) => entry.result), batched);
    assert.equal(results[3].status, 'failure');
    assert.equal(batched[0] + batched[1], parseEther('1000'));
  });

  test('finds events: getLogs, getContractEvents and a filter', async () => {
    const event = token.abi.find((entry) => entry.type === 'event' && entry.name === 'Transfer');
    const filter = await client.createContractEventFilter({...token, eventName: 'Transfer', args: {to: bob.account.address}, fromBlock: await client.getBlockNumber(), strict: true});
    const first = await write(alice, 'transfer', [bob.account.address, 21n]);
    await write(alice, 'transfer', [zeroAddress.replace(/0$/, '1'), 22n]);
    const logs = await client.getLogs({address: token.address, event, args: {from: alice.account.address, to: bob.account.address}, fromBlock: first.blockNumber, toBlock: 'latest'});
    assert.deepEqual(logs.map((log) => [log.args.value, log.blockHash]), [[21n, first.blockHash]]);
    const all = await client.getContractEvents({...token, eventName: 'Transfer', fromBlock: 0n});
    assert.deepEqual(all.map((log) => log.args.value), [parseEther('1000'), 5n, 21n, 22n]);
    assert.deepEqual((await client.getFilterChanges({filter})).map((log) => log.args.value), [21n]);
    assert.equal(await client.uninstallFilter({filter}), true);
  });

  test('watches blocks and events by polling', async () => {
    const numbers = [], values = [];
    const unwatchBlocks = client.watchBlockNumber({onBlockNumber: (number) => numbers.push(number), emitOnBegin: true, pollingInterval});
    const unwatchEvents = client.watchContractEvent({...token, eventName: 'Transfer', onLogs: (logs) => values.push(...logs.map((log) => log.args.value)), pollingInterval});
    try {
      await until('the first block', () => numbers.length > 0);
      const receipt = await write(alice, 'transfer', [bob.account.address, 41n]);
      await until('the block and the event', () => numbers.at(-1) >= receipt.blockNumber && values.includes(41n), {timeoutMs: 20_000});
    } finally {
      unwatchBlocks();
      unwatchEvents();
    }
    assert.deepEqual(numbers, [...numbers].sort((a, b) => Number(a - b)));
  });

  test('watches blocks, events and waiting transactions by WebSocket', async () => {
    const socket = createPublicClient({chain, transport: webSocket(url.replace(/^http/, 'ws'), {reconnect: false, retryCount: 0, timeout: 10_000})});
    const blocks = [], values = [], waiting = [], errors = [];
    const onError = (error) => errors.push(error);
    const stop = [];
    try {
      assert.equal(await socket.getChainId(), chain.id);
      stop.push(socket.watchBlocks({onBlock: (block) => blocks.push(block), onError}));
      stop.push(socket.watchContractEvent({...token, eventName: 'Transfer', onLogs: (logs) => values.push(...logs.map((log) => log.args.value)), onError}));
      stop.push(socket.watchPendingTransactions({onTransactions: (hashes) => waiting.push(...hashes), onError}));
      // A subscription counts from when it was answered; a block proves that the first is at work.
      await until('the first block', () => blocks.length > 0 || errors.length > 0, {timeoutMs: 20_000});
      const receipt = await write(alice, 'transfer', [bob.account.address, 51n]);
      await until('block, event and transaction', () => errors.length > 0 || (blocks.some((block) => block.hash === receipt.blockHash) && values.includes(51n) &&
        waiting.includes(receipt.transactionHash)), {timeoutMs: 20_000});
      assert.deepEqual(errors, []);
    } finally {
      for (const unwatch of stop) unwatch();
      (await socket.transport.getRpcClient()).close();
    }
  });

  test('approves by signed typed data (EIP-712, EIP-2612)', async () => {
    const message = {owner: alice.account.address, spender: bob.account.address, value: 13n, nonce: 0n, deadline: 2n ** 60n};
    const typed = {
      domain: {name: 'Viem', version: '1', chainId: chain.id, verifyingContract: token.address}, primaryType: 'Permit', message,
      types: {Permit: ['owner:address', 'spender:address', 'value:uint256', 'nonce:uint256', 'deadline:uint256'].map((field) => ({name: field.split(':')[0], type: field.split(':')[1]}))},
    };
    const signature = await alice.signTypedData(typed);
    assert.equal(await recoverTypedDataAddress({...typed, signature}), alice.account.address, hashTypedData(typed));
    const {r, s, v} = parseSignature(signature);
    await write(bob, 'permit', [message.owner, message.spender, message.value, message.deadline, Number(v), r, s]);
    await write(bob, 'transferFrom', [alice.account.address, bob.account.address, 13n]);
    assert.equal(await read('allowance', [alice.account.address, bob.account.address]), 0n);
  });

  test('reads state, proofs and fees', async () => {
    const slot = keccak256(encodeAbiParameters([{type: 'address'}, {type: 'uint256'}], [bob.account.address, 3n]));
    const held = await read('balanceOf', [bob.account.address]);
    assert.equal(hexToBigInt(await client.getStorageAt({address: token.address, slot})), held);
    const proof = await client.getProof({address: token.address, storageKeys: [slot]});
    assert.equal(proof.storageProof[0].value, held);
    assert.equal(await client.getCode({address: token.address}), artifact('ExampleToken').deployedBytecode);
    const fees = await client.getFeeHistory({blockCount: 2, rewardPercentiles: [50]});
    assert.equal(fees.baseFeePerGas.length, fees.gasUsedRatio.length + 1);
    const estimate = await client.estimateFeesPerGas();
    assert.ok(estimate.maxFeePerGas >= (await client.getBlock()).baseFeePerGas);
    // A state override stands for this call only.
    const rich = await client.readContract({...token, functionName: 'balanceOf', args: [zeroAddress], stateOverride: [{
      address: token.address, stateDiff: [{slot: keccak256(encodeAbiParameters([{type: 'address'}, {type: 'uint256'}], [zeroAddress, 3n])), value: `0x${'7'.padStart(64, '0')}`}],
    }]});
    assert.deepEqual([rich, await read('balanceOf', [zeroAddress])], [7n, 0n]);
  });

  test('sends types 0, 1, 2 and 4, and is refused type 3 in words', async () => {
    const accessList = [{address: token.address, storageKeys: [keccak256(encodeAbiParameters([{type: 'address'}, {type: 'uint256'}], [bob.account.address, 3n]))]}];
    assert.equal((await write(alice, 'transfer', [bob.account.address, 1n], {type: 'legacy'})).type, 'legacy');
    const listed = await write(alice, 'transfer', [bob.account.address, 1n], {type: 'eip2930', accessList});
    assert.equal(listed.type, 'eip2930');
    assert.deepEqual((await client.getTransaction({hash: listed.transactionHash})).accessList.map((entry) => entry.storageKeys), [accessList[0].storageKeys]);
    assert.equal((await write(alice, 'transfer', [bob.account.address, 1n])).type, 'eip1559');

    const batch = await deploy(bob, 'BatchAccount');
    const authorization = await alice.signAuthorization({contractAddress: batch.address, executor: 'self'});
    const transfer = encodeFunctionData({abi: token.abi, functionName: 'transfer', args: [bob.account.address, 2n]});
    const data = encodeFunctionData({abi: batch.abi, functionName: 'execute', args: [[{to: token.address, value: 0n, data: transfer}, {to: token.address, value: 0n, data: transfer}]]});
    const delegated = await mined(await alice.sendTransaction({authorizationList: [authorization], to: alice.account.address, data}));
    assert.equal(delegated.type, 'eip7702');
    assert.deepEqual(parseEventLogs({abi: batch.abi, logs: delegated.logs, eventName: 'Executed'}).map((log) => [log.address, log.args.calls]), [[alice.account.address.toLowerCase(), 2n]]);
    assert.equal(await client.getCode({address: alice.account.address}), `0xef0100${batch.address.slice(2).toLowerCase()}`);

    const raw = await alice.signTransaction({
      type: 'eip4844', to: bob.account.address, nonce: await client.getTransactionCount({address: alice.account.address}), gas: 21_000n,
      maxFeePerGas: parseEther('100', 'gwei'), maxPriorityFeePerGas: 1n, maxFeePerBlobGas: parseEther('1', 'gwei'), blobVersionedHashes: [`0x01${'cd'.repeat(31)}`],
    });
    await assert.rejects(client.sendRawTransaction({serializedTransaction: raw}), /blob|4844/i);
  });

  test('finds the address of a contract before it exists', async () => {
    const nonce = await client.getTransactionCount({address: bob.account.address});
    const expected = getContractAddress({from: bob.account.address, nonce: BigInt(nonce)});
    assert.equal((await deploy(bob, 'GoodReceiver')).address.toLowerCase(), expected.toLowerCase());
  });
});
