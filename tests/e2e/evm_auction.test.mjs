// The name auction: sealed bids, second price, refunds by withdrawal, and everything that must be refused.
// Variables: evm_lib.mjs. The same file passes against anvil; phases last a few seconds of block time.
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {ethers} from 'ethers';
import {accounts, connect, deploy, events, mined, minedButFailed, revertsWith, until} from './evm_lib.mjs';

const provider = connect();
const ether = ethers.parseEther;
const hash = (name) => ethers.id(name);
const salt = ethers.hexlify(ethers.randomBytes(32));
const reserve = ether('1');
const contest = 'contest', lonely = 'lonely-bid', cheap = 'too-cheap';

describe('name auction', {concurrency: 1}, () => {
  let auction, thief, beneficiary, alice, bob, carol, clock;

  /// The salted hash, computed here: asking the node would tell it the bid.
  async function commitment(name, bidder, amount) {
    const {chainId} = await provider.getNetwork();
    return ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(['uint256', 'address', 'bytes32', 'address', 'uint256', 'bytes32'],
      [chainId, auction.target, hash(name), bidder, amount, salt]));
  }
  async function commit(name, bidder, amount, deposit) {
    return mined(auction.connect(bidder).commit(hash(name), await commitment(name, bidder.address, amount), {value: deposit}));
  }
  /// Blocks come slower when there is nothing to do; so something is done. Calls see the time of the newest block.
  const phase = (what, time) => until(what, async () => {
    const {blockNumber} = await mined(clock.sendTransaction({to: clock.address}));
    return BigInt((await provider.getBlock(blockNumber)).timestamp) >= time;
  });

  before(async () => {
    [beneficiary, alice, bob, carol, clock] = await accounts(provider, 5);
    // Long enough for the commitments below at one block a second, which different accounts send side by side.
    auction = await deploy('NameAuction', beneficiary, [beneficiary.address, 12, 10, reserve]);
    thief = await deploy('ReentrantBidder', carol, [auction.target], {value: ether('10')});
  });

  test('opens for valid and free names only', async () => {
    for (const name of ['ab', 'a'.repeat(33), 'Upper', '-abc', 'abc-', 'a b c', 'näme'])
      await revertsWith(auction.open.staticCall(name), auction, 'InvalidName');
    let nonce = await beneficiary.getNonce();
    const opened = await Promise.all([contest, lonely, cheap].map((name) => mined(auction.open(name, {nonce: nonce++}))));
    const [event] = events(opened[0], auction, 'Opened');
    assert.deepEqual([event.nameHash, event.name, event.revealEnd - event.commitEnd], [hash(contest), contest, 10n]);
    await revertsWith(auction.open.staticCall(contest), auction, 'AuctionRunning');
    await revertsWith(auction.commit.staticCall(hash('nobody-asked'), salt), auction, 'NoAuction');
  });

  test('takes sealed bids with deposits', async () => {
    const chain = async (bidder, ...jobs) => {
      for (const job of jobs) await job();
      return bidder;
    };
    await Promise.all([
      chain(alice, () => commit(contest, alice, ether('5'), ether('9')), () => commit(lonely, alice, ether('3'), ether('4'))),
      chain(bob, () => commit(contest, bob, ether('7'), ether('7')), () => commit(lonely, bob, ether('2'), ether('2'))),
      chain(carol, async () => mined(thief.commit(hash(contest), await commitment(contest, thief.target, ether('4')), ether('6'))),
        () => commit(cheap, carol, ether('0.5'), ether('2'))),
      chain(beneficiary, () => commit(contest, beneficiary, ether('8'), ether('1'))),
    ]);
    await revertsWith(auction.connect(alice).commit.staticCall(hash(contest), salt, {value: 1n}), auction, 'AlreadyCommitted');
    await revertsWith(auction.connect(carol).commit.staticCall(hash(contest), salt), auction, 'DepositTooSmall');
    await revertsWith(auction.connect(alice).reveal.staticCall(hash(contest), ether('5'), salt), auction, 'WrongPhase');
    await revertsWith(auction.connect(alice).reclaim.staticCall(hash(contest)), auction, 'WrongPhase');
    assert.equal(await provider.getBalance(auction.target), ether('31'));
  });

  test('opens the bids, each once', async () => {
    await phase('the end of the commitments', (await auction.auctions(hash(contest))).commitEnd);
    // Calls are made on the state after the newest block, whose time has passed the limit.
    await revertsWith(auction.connect(alice).reveal.staticCall(hash(contest), ether('6'), salt), auction, 'CommitmentMismatch');
    const tooSmall = await revertsWith(auction.reveal.staticCall(hash(contest), ether('8'), salt), auction, 'DepositTooSmall');
    assert.deepEqual([...tooSmall], [ether('1'), ether('8')]);
    await Promise.all([
      (async () => {
        await mined(auction.connect(alice).reveal(hash(contest), ether('5'), salt));
        await mined(auction.connect(alice).reveal(hash(lonely), ether('3'), salt));
      })(),
      mined(auction.connect(bob).reveal(hash(contest), ether('7'), salt)),
      (async () => {
        await mined(thief.reveal(hash(contest), ether('4'), salt));
        await mined(auction.connect(carol).reveal(hash(cheap), ether('0.5'), salt));
      })(),
    ]);
    const again = await revertsWith(auction.connect(alice).reveal.staticCall(hash(contest), ether('5'), salt), auction, 'NothingCommitted');
    assert.deepEqual([...again], [hash(contest), alice.address]);
    await minedButFailed(provider, auction.connect(alice).reveal(hash(contest), ether('5'), salt, {gasLimit: 200_000n}));
    assert.equal(await auction.refunds(alice.address), ether('9'));
    assert.equal(await auction.refunds(thief.target), ether('6'));
    await revertsWith(auction.settle.staticCall(hash(contest)), auction, 'WrongPhase');
  });

  test('sells to the highest bidder at the second highest bid, or the reserve price', async () => {
    await phase('the end of the auctions', (await auction.auctions(hash(cheap))).revealEnd);
    let nonce = await carol.getNonce();
    const [sold, alone, unsold] = await Promise.all([contest, lonely, cheap].map((name) => mined(auction.connect(carol).settle(hash(name), {nonce: nonce++}))));
    assert.deepEqual([...events(sold, auction, 'Sold')[0]], [hash(contest), bob.address, ether('5')]);
    // Bob never revealed the other bid: it does not count.
    assert.deepEqual([...events(alone, auction, 'Sold')[0]], [hash(lonely), alice.address, reserve]);
    assert.equal(events(unsold, auction, 'Unsold').length, 1);
    assert.equal(await auction.ownerOf(hash(contest)), bob.address);
    assert.equal(await auction.refunds(bob.address), ether('2'));
    assert.equal(await auction.refunds(beneficiary.address), ether('6'));
    await revertsWith(auction.settle.staticCall(hash(contest)), auction, 'NoAuction');
    await revertsWith(auction.open.staticCall(contest), auction, 'NameTaken');
    assert.equal(await auction.open.staticCall(cheap), hash(cheap));
  });

  test('keeps a twentieth of a deposit that was never revealed', async () => {
    const receipt = await mined(auction.connect(bob).reclaim(hash(lonely)));
    assert.deepEqual([...events(receipt, auction, 'Forfeited')[0]], [hash(lonely), bob.address, ether('0.1')]);
    assert.equal(await auction.refunds(bob.address), ether('3.9'));
    await revertsWith(auction.connect(bob).reclaim.staticCall(hash(lonely)), auction, 'NothingCommitted');
  });

  test('pays nobody twice, not even one who calls back in', async () => {
    const held = await provider.getBalance(auction.target);
    // The inner refusal fails the outer call too: nothing moves.
    await revertsWith(thief.attack.staticCall(true), auction, 'TransferFailed');
    await minedButFailed(provider, thief.attack(true, {gasLimit: 300_000n}));
    assert.deepEqual([await provider.getBalance(auction.target), await auction.refunds(thief.target)], [held, ether('6')]);
    // The inner refusal is swallowed: one payment, of what was due.
    await mined(thief.attack(false, {gasLimit: 300_000n}));
    assert.deepEqual([await thief.attempts(), await thief.paidTwice()], [1n, false]);
    assert.equal(auction.interface.parseError(await thief.refusal()).name, 'NothingToWithdraw');
    assert.equal(await provider.getBalance(thief.target), ether('10'));
    assert.equal(await provider.getBalance(auction.target), held - ether('6'));
  });

  test('pays out to the last wei, and leaves the name to its owner', async () => {
    for (const account of [alice, bob, carol]) {
      const due = await auction.refunds(account.address);
      const before = await provider.getBalance(account.address);
      const receipt = await mined(auction.connect(account).withdraw());
      assert.equal(await provider.getBalance(account.address), before + due - receipt.gasUsed * receipt.gasPrice);
    }
    await revertsWith(auction.connect(alice).withdraw.staticCall(), auction, 'NothingToWithdraw');
    // What is left is the beneficiary's, and its own deposit that it never could reveal.
    await mined(auction.reclaim(hash(contest)));
    await mined(auction.withdraw());
    assert.equal(await provider.getBalance(auction.target), 0n);
    await revertsWith(auction.connect(alice).setAddress.staticCall(hash(contest), alice.address), auction, 'NotNameOwner');
    await mined(auction.connect(bob).setAddress(hash(contest), alice.address));
    assert.equal(await auction.addressOf(hash(contest)), alice.address);
  });
});
