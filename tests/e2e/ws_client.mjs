// JSON-RPC over WebSocket with ethers, viem and a bare socket: subscriptions, filters, batches and the mempool's methods.
import assert from 'node:assert/strict';
import {ethers} from 'ethers';
import {createPublicClient, defineChain, webSocket} from 'viem';
import WebSocket from 'ws';

const [httpUrl, mnemonic] = process.argv.slice(2);
const url = httpUrl.replace('http:', 'ws:');
const to = ethers.getAddress('0x00000000000000000000000000000000000000f1');
// Its constructor returns code that emits an event with topic 42: PUSH1 42, PUSH1 0, PUSH1 0, LOG1, STOP.
const emitter = '0x67602a60006000a10060005260086018f3';
const topic = ethers.toBeHex(42, 32);

async function until(what, condition) {
  for (let i = 0; i < 600; ++i) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`waited in vain for: ${what}`);
}

function assertContiguous(numbers) {
  for (let i = 1; i < numbers.length; ++i) assert.equal(Number(numbers[i]), Number(numbers[i - 1]) + 1);
}

// A bare socket: answers by id, notifications by subscription.
async function bare() {
  const socket = new WebSocket(url);
  const waiting = new Map(), events = new Map();
  let next = 1;
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.method === 'eth_subscription') {
      assert.deepEqual(Object.keys(message.params).sort(), ['result', 'subscription']);
      const {subscription, result} = message.params;
      // The answer that names a subscription comes before its first event.
      assert.ok(events.has(subscription));
      events.get(subscription).push(result);
      return;
    }
    const key = Array.isArray(message) ? message[0].id : message.id;
    if (message.result && /^0x/.test(message.result) && waiting.get(key)?.subscribes) events.set(message.result, []);
    waiting.get(key).resolve(message);
    waiting.delete(key);
  });
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  const send = (body, key, subscribes) => new Promise((resolve) => {
    waiting.set(key, {resolve, subscribes});
    socket.send(JSON.stringify(body));
  });
  return {
    events,
    call: async (method, ...params) => {
      const id = next++;
      const answer = await send({jsonrpc: '2.0', id, method, params}, id, method === 'eth_subscribe');
      if (answer.error) throw Object.assign(new Error(answer.error.message), {code: answer.error.code});
      return answer.result;
    },
    batch: (calls) => {
      const body = calls.map(([method, ...params]) => ({jsonrpc: '2.0', id: next++, method, params}));
      return send(body, body[0].id);
    },
    close: () => socket.close(),
  };
}

const http = new ethers.JsonRpcProvider(httpUrl, undefined, {cacheTimeout: -1});
const wallet = new ethers.NonceManager(ethers.HDNodeWallet.fromPhrase(mnemonic).connect(http));
const pay = async () => (await wallet.sendTransaction({to, value: 1n})).wait();

const created = await (await wallet.sendTransaction({data: emitter})).wait();
const address = created.contractAddress;
const emit = async () => (await wallet.sendTransaction({to: address, gasLimit: 100_000n})).wait();

{  // ethers
  const provider = new ethers.WebSocketProvider(url);
  const blocks = [], logs = [], pending = [];
  await provider.on('block', (number) => blocks.push(number));
  await provider.on({address, topics: [topic]}, (log) => logs.push(log));
  await provider.on('pending', (hash) => pending.push(hash));
  await provider.getBlockNumber();
  const first = await emit(), second = await emit();
  await until('ethers sees both logs', () => logs.length >= 2);
  assert.deepEqual(logs.map((log) => log.transactionHash), [first.hash, second.hash]);
  assert.equal(logs[0].removed, false);
  await until('ethers sees the block of the second', () => blocks.includes(second.blockNumber));
  assertContiguous(blocks);
  await until('ethers sees the pending hashes', () => pending.includes(first.hash) && pending.includes(second.hash));
  await provider.destroy();
}

{  // viem
  const chain = defineChain({
    id: Number((await http.getNetwork()).chainId), name: 'devnet', nativeCurrency: {name: 'BNC', symbol: 'BNC', decimals: 18},
    rpcUrls: {default: {http: [httpUrl], webSocket: [url]}},
  });
  const client = createPublicClient({chain, transport: webSocket(url, {reconnect: false})});
  const blocks = [], logs = [], pending = [];
  const onError = (error) => assert.fail(error);
  const stops = [
    client.watchBlocks({onBlock: (block) => blocks.push(block.number), onError}),
    client.watchEvent({address, onLogs: (some) => logs.push(...some), onError}),
    client.watchPendingTransactions({onTransactions: (some) => pending.push(...some), onError}),
  ];
  assert.ok((await client.getBlockNumber()) > 0n);
  await until('viem sees a block', async () => (await pay()) && blocks.length > 0);
  const receipt = await emit();
  await until('viem sees the log', () => logs.some((log) => log.transactionHash === receipt.hash));
  assert.equal(logs[0].blockNumber, BigInt(receipt.blockNumber));
  await until('viem sees the pending hash', () => pending.includes(receipt.hash));
  await until('viem sees the block', () => blocks.includes(BigInt(receipt.blockNumber)));
  assertContiguous(blocks);
  for (const stop of stops) stop();
  (await client.transport.getRpcClient()).close();
}

{  // The wire
  const rpc = await bare();
  const heads = await rpc.call('eth_subscribe', 'newHeads');
  const all = await rpc.call('eth_subscribe', 'logs', {address, topics: [[topic, ethers.ZeroHash]]});
  const none = await rpc.call('eth_subscribe', 'logs', {topics: [ethers.ZeroHash]});
  const full = await rpc.call('eth_subscribe', 'newPendingTransactions', true);
  const blockFilter = await rpc.call('eth_newBlockFilter');
  const logFilter = await rpc.call('eth_newFilter', {address});
  const pendingFilter = await rpc.call('eth_newPendingTransactionFilter');
  const receipt = await emit();
  await until('all events', () => [heads, all, full].every((id) => rpc.events.get(id).length > 0));
  assert.equal(rpc.events.get(none).length, 0);
  const header = rpc.events.get(heads).find((head) => Number(head.number) === receipt.blockNumber);
  const block = await rpc.call('eth_getBlockByNumber', header.number, false);
  for (const [name, value] of Object.entries(header)) assert.deepEqual(value, block[name], name);
  assert.equal(header.transactions, undefined);
  const [log] = rpc.events.get(all);
  assert.deepEqual(log, (await rpc.call('eth_getLogs', {blockHash: receipt.blockHash, address}))[0]);
  assert.equal(rpc.events.get(full)[0].hash, receipt.hash);
  assert.equal(rpc.events.get(full)[0].blockHash, null);

  // Filters are the node's, not the connection's: what WebSocket made, HTTP polls.
  const hashes = await http.send('eth_getFilterChanges', [blockFilter]);
  assert.ok(hashes.includes(receipt.blockHash));
  assert.equal((await http.send('eth_getFilterChanges', [logFilter])).length, 1);
  assert.deepEqual(await rpc.call('eth_getFilterChanges', logFilter), []);
  assert.deepEqual(await rpc.call('eth_getFilterChanges', pendingFilter), [receipt.hash]);
  assert.equal(await rpc.call('eth_uninstallFilter', blockFilter), true);
  assert.equal(await rpc.call('eth_uninstallFilter', blockFilter), false);
  await assert.rejects(rpc.call('eth_getFilterChanges', blockFilter), {message: 'filter not found', code: -32000});

  assert.equal(await rpc.call('eth_unsubscribe', heads), true);
  await assert.rejects(rpc.call('eth_unsubscribe', heads), {message: 'subscription not found'});
  const seen = rpc.events.get(heads).length;
  await pay();
  assert.equal(rpc.events.get(heads).length, seen);

  const [chain, unknown] = await rpc.batch([['eth_chainId'], ['no_such_method']]);
  assert.equal(BigInt(chain.result), (await http.getNetwork()).chainId);
  assert.equal(unknown.error.code, -32601);

  // What waits behind a gap is shown as queued.
  const sender = ethers.HDNodeWallet.fromPhrase(mnemonic).connect(http);
  const gapped = await sender.sendTransaction({to, value: 7n, nonce: 1 + await sender.getNonce('pending'), gasLimit: 21_000n});
  const content = await rpc.call('txpool_contentFrom', sender.address);
  assert.equal(content.queued[gapped.nonce].hash, gapped.hash);
  assert.ok(Number((await rpc.call('txpool_status')).queued) >= 1);
  assert.match((await rpc.call('txpool_inspect')).queued[sender.address][gapped.nonce], /^0x0{38}f1: 7 wei \+ 21000 gas × \d+ wei$/i);
  assert.equal((await rpc.call('txpool_content')).queued[sender.address][gapped.nonce].hash, gapped.hash);

  // The bytes that hashes are made of.
  const tag = ethers.toQuantity(receipt.blockNumber);
  assert.equal(ethers.keccak256(await rpc.call('debug_getRawHeader', tag)), receipt.blockHash);
  assert.equal(ethers.keccak256(await rpc.call('eth_getRawTransactionByHash', receipt.hash)), receipt.hash);
  assert.equal((await rpc.call('debug_getRawReceipts', tag)).length, block.transactions.length);
  assert.equal((await rpc.call('rpc_modules')).eth, '1.0');
  rpc.close();
}

await assert.rejects(http.send('eth_subscribe', ['newHeads']), /notifications not supported/);
console.log('websocket: ok');
process.exit(0);
