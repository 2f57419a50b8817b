// A contract rents a container through Market and pays it from its own balance; the container answers HTTP.
// Needs a devnet: beside the variables of evm_lib.mjs, BONUS_API (the node's local API), BONUS_GATEWAY, BONUS_IMAGE (name in
// the registry, serving HTTP on port 80) and BONUS_IMAGE_DIGEST (sha256:... of its manifest).
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {ethers} from 'ethers';
import {accounts, artifact, connect, deploy, env, events, mined, minedButFailed, revertsWith, until} from './evm_lib.mjs';

const provider = connect();
const ether = ethers.parseEther;
const kClosed = 3n, kRunning = 2n; // IMarket.OrderState, IMarket.LeaseState
const resources = {cpuMillis: 200, memoryMiB: 64, diskMiB: 256};

/// A small blob that the worker will fetch; its SHA-256.
async function store(document) {
  const response = await fetch(`${env('BONUS_API')}/v1/blobs`, {
    method: 'PUT', body: document, headers: {'content-type': 'application/octet-stream'}, signal: AbortSignal.timeout(30_000),
  });
  assert.ok(response.ok, `the node refuses the workload document: ${response.status} ${await response.clone().text()}`);
  return `0x${(await response.json()).sha256.replace(/^sha256:/, '')}`;
}

/// Status and text of the container's page, through the gateway.
async function page(order) {
  const response = await fetch(`${env('BONUS_GATEWAY')}/l/order-${order}/`, {signal: AbortSignal.timeout(30_000)});
  return [response.status, await response.text()];
}

describe('a contract that rents', {concurrency: 1}, () => {
  let owner, stranger, renter, market, spec, price, order, lease, topUps = 0n;

  before(async () => {
    [owner, stranger] = await accounts(provider, 2, '10');
    renter = await deploy('ContainerRenter', owner, [], {value: ether('3')});
    market = new ethers.Contract(await renter.MARKET(), artifact('IMarket').abi, stranger);
    const digest = env('BONUS_IMAGE_DIGEST');
    const workload = await store(JSON.stringify({
      version: 1, image: env('BONUS_IMAGE'), manifest: digest, ports: [80],
      cpu_millis: resources.cpuMillis, memory_mib: resources.memoryMiB, disk_mib: resources.diskMiB,
    }));
    spec = {
      image: env('BONUS_IMAGE'), imageDigest: digest.replace('sha256:', '0x'), workload, resources, replicas: 1, runtime: 0, minTier: -1, region: '',
      maxPricePerSecond: ether('1'), duration: 0, developer: ethers.ZeroAddress, royaltyBps: 0, distinctOperators: false,
      weightCheap: 50, weightQuality: 50, weightNear: 0,
    };
    const found = await until('an offer that matches', async () => {
      const explanation = await market.preflight(spec, ether('1'));
      return explanation.matching > 0n && explanation;
    });
    price = found.expectedPricePerSecond;
    assert.ok(price > 0n);
    spec.maxPricePerSecond = price * 2n;
  });

  test('refuses strangers, and orders that its balance does not cover', async () => {
    assert.equal(await provider.getBalance(renter.target), ether('3'));
    const refused = await revertsWith(renter.connect(stranger).rent.staticCall(spec, 1n), renter, 'NotOwner');
    assert.deepEqual([...refused], [stranger.address]);
    const short = await revertsWith(renter.rent.staticCall(spec, ether('3') + 1n), renter, 'InsufficientBalance');
    assert.deepEqual([...short], [ether('3'), ether('3') + 1n]);
    await minedButFailed(provider, renter.rent(spec, ether('4'), {gasLimit: 1_000_000n}));
    await revertsWith(renter.stop.staticCall(), renter, 'NothingRented');
    await revertsWith(renter.status(), renter, 'NothingRented');
  });

  test("passes on Market's own refusals", async () => {
    const reason = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error.reason);
    assert.equal(await reason(renter.rent.staticCall({...spec, replicas: 0}, 1n)), 'order: 1 to 64 replicas');
    assert.equal(await reason(renter.rent.staticCall(spec, 0n)), 'order: a deposit is needed');
    // Mined, the call into Market undoes everything: no order, no money moved.
    const orders = await market.orderCount();
    await minedButFailed(provider, renter.rent({...spec, runtime: 9}, ether('1'), {gasLimit: 1_000_000n}));
    assert.deepEqual([await market.orderCount(), await provider.getBalance(renter.target)], [orders, ether('3')]);
  });

  test('orders from its own balance', async () => {
    const before = await provider.getBalance(owner.address);
    const receipt = await mined(renter.rent(spec, ether('1')));
    const [rented] = events(receipt, renter, 'Rented');
    order = rented.orderId;
    const [created] = events(receipt, market, 'OrderCreated');
    assert.deepEqual([created.orderId, created.user, created.deposit], [order, renter.target, ether('1')]);
    assert.equal(await provider.getBalance(renter.target), ether('2'));
    assert.equal(await provider.getBalance(owner.address), before - receipt.gasUsed * receipt.gasPrice);
    assert.equal((await market.getOrder(order)).user, renter.target);
    assert.deepEqual((await market.ordersOf(renter.target, 0, 10)).map((found) => found.id), [order]);
    await revertsWith(renter.rent.staticCall(spec, 1n), renter, 'AlreadyRenting');
  });

  test('gets a running container that answers HTTP', async () => {
    lease = await until('the lease to run', async () => {
      const leases = await market.leasesOfOrder(order);
      const ended = leases.find((entry) => entry.state === 3n);
      assert.ok(!ended, `the lease ended: reason ${ended?.reason} ${ended?.detail}`);
      return leases.find((entry) => entry.state === kRunning);
    });
    assert.equal(lease.user, renter.target);
    assert.ok(lease.pricePerSecond <= spec.maxPricePerSecond);
    const [, text] = await until('the page', async () => {
      const answer = await page(order);
      return answer[0] === 200 && answer;
    });
    assert.match(text, /hello from a rented container/);
    assert.equal((await renter.status()).liveReplicas, 1n);
  });

  test('adds to the escrow, by its owner or as its owner has allowed', async () => {
    await revertsWith(renter.connect(stranger).topUp.staticCall(1n), renter, 'NotOwner');
    await revertsWith(renter.topUp.staticCall(ether('2') + 1n), renter, 'InsufficientBalance');
    const left = await market.secondsLeft(order);
    const receipt = await mined(renter.topUp(ether('0.5')));
    assert.deepEqual([...events(receipt, market, 'ToppedUp')[0]], [order, ether('0.5')]);
    assert.ok((await market.secondsLeft(order)) > left);
    await revertsWith(renter.connect(stranger).keepAlive.staticCall(), renter, 'NotYetNeeded');
    await mined(renter.setRefill(2n ** 63n, ether('0.25')));
    const kept = await mined(renter.connect(stranger).keepAlive());
    assert.deepEqual([...events(kept, renter, 'ToppedUp')[0]], [order, ether('0.25'), stranger.address]);
    topUps = ether('0.75');
    assert.equal(await provider.getBalance(renter.target), ether('2') - topUps);
  });

  test('is the only one that can stop the container', async () => {
    await assert.rejects(market.stop.staticCall(order), (error) => error.reason === "stop: the order is another user's");
    await revertsWith(renter.connect(stranger).stop.staticCall(), renter, 'NotOwner');
    assert.equal((await page(order))[0], 200);
  });

  test('stops it and has every wei back that was not used', async () => {
    const before = await provider.getBalance(renter.target);
    const receipt = await mined(renter.stop());
    const [stopped] = events(receipt, renter, 'Stopped');
    assert.equal(await provider.getBalance(renter.target), before + stopped.returned);
    assert.deepEqual([...events(receipt, market, 'OrderClosed')[0]], [order, stopped.returned]);
    const {state, escrow} = await market.getOrder(order);
    assert.deepEqual([state, escrow, await renter.isRenting()], [kClosed, 0n, false]);
    // More than one lease if the first worker was lost.
    const leases = await market.leasesOfOrder(order);
    const sum = (field) => leases.reduce((total, entry) => total + entry[field], 0n);
    assert.ok(sum('paidTotal') > 0n && sum('paidWorker') > 0n && sum('paidFoundation') > 0n);
    assert.equal(sum('paidTotal'), sum('paidWorker') + sum('paidDeveloper') + sum('paidFoundation'));
    assert.equal(stopped.returned, ether('1') + topUps - sum('paidTotal'));
    await revertsWith(renter.stop.staticCall(), renter, 'NothingRented');
    await until('the gateway to know', async () => [404, 503].includes((await page(order))[0]));
  });

  test('gives what is left to its owner', async () => {
    const held = await provider.getBalance(renter.target);
    await revertsWith(renter.connect(stranger).withdraw.staticCall(stranger.address, 1n), renter, 'NotOwner');
    await revertsWith(renter.withdraw.staticCall(owner.address, held + 1n), renter, 'InsufficientBalance');
    const to = ethers.Wallet.createRandom().address;
    await mined(renter.withdraw(to, held));
    assert.deepEqual([await provider.getBalance(to), await provider.getBalance(renter.target)], [held, 0n]);
    const short = await revertsWith(renter.rent.staticCall(spec, ether('1')), renter, 'InsufficientBalance');
    assert.deepEqual([...short], [0n, ether('1')]);
  });
});
