// ethers v6 and the Names contract: commit, reveal and refund from outside, views and events through INames, and the example contract that
// registers a name for itself. Usage: names_client.mjs URL MNEMONIC ARTIFACTS NAME_OF_THE_CLI
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ethers} from 'ethers';

const [url, mnemonic, artifacts, cliName] = process.argv.slice(2);
const artifact = (name) => JSON.parse(readFileSync(join(artifacts, `${name}.json`), 'utf8'));
const provider = new ethers.JsonRpcProvider(url, undefined, {cacheTimeout: -1});
provider.pollingInterval = 150;
// Account 1 of the development phrase: the command line uses account 0.
const wallet = ethers.HDNodeWallet.fromPhrase(mnemonic, undefined, "m/44'/60'/0'/0/1").connect(provider);
const names = new ethers.Contract('0x000000000000000000000000000000000000b005', artifact('INames').abi, wallet);
const year = 31_536_000n;
const commitmentOf = (name, owner, secret) => ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
  ['string', 'address', 'uint64', 'bytes32'], [name, owner, year, secret]));
const mined = async (sent) => (await sent).wait();
const reasonOf = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error.reason);

/// Waits until the chain's clock is past the commitment's minimum age.
async function aged(commitment) {
  const since = await names.committedAt(commitment);
  assert.ok(since > 0n);
  const [minimum] = await names.rules();
  while (BigInt((await provider.getBlock('latest')).timestamp) < since + minimum) await new Promise((done) => setTimeout(done, 200));
}

// What the command line registered is there for everybody.
const found = await names.getName(cliName);
assert.equal(found.name, cliName);
assert.equal(found.state, 1n);
assert.equal(await names.owner(cliName), found.owner);
assert.equal(await names.available(cliName), false);
const registered = await names.queryFilter(names.filters.NameRegistered(ethers.id(cliName)), 0);
assert.deepEqual([registered.length, registered[0].args.owner, registered[0].args.name], [1, found.owner, cliName]);
assert.match(await reasonOf(names.setRecords.staticCall(cliName, '0x')), /only the owner/);
assert.match(await reasonOf(names.price('xn--a', year)), /third and fourth place/);

// A registration with too much money: the price goes to the foundation, the rest comes back.
const secret = ethers.hexlify(ethers.randomBytes(32));
const commitment = commitmentOf('ethers', wallet.address, secret);
assert.equal(await names.commitment('ethers', wallet.address, year, secret), commitment);
const keeper = await new ethers.ContractFactory(artifact('NameKeeper').abi, artifact('NameKeeper').bytecode, wallet)
  .deploy(30n * 86_400n, {value: ethers.parseEther('50')});
await keeper.waitForDeployment();
const keeperSecret = ethers.hexlify(ethers.randomBytes(32));
const keeperCommitment = commitmentOf('keeper-name', keeper.target, keeperSecret);
await mined(names.commit(commitment));
await mined(keeper.commit(keeperCommitment));
await aged(keeperCommitment);
const price = await names.price('ethers', year);
const before = await provider.getBalance(wallet.address);
const receipt = await mined(names.register('ethers', wallet.address, year, secret, {value: price + 12345n}));
assert.equal(await provider.getBalance(wallet.address), before - price - receipt.gasUsed * receipt.gasPrice);
assert.equal(await provider.getBalance(names.target), 0n);
assert.equal(await names.owner('ethers'), wallet.address);
await mined(names.setRecords('ethers', '0x0101010000012c0010fd000000000000000000000000000001'));
assert.equal(await names.records('ethers'), '0x0101010000012c0010fd000000000000000000000000000001');
assert.match(await reasonOf(names.setRecords.staticCall('ethers', '0x02')), /version 2/);
assert.deepEqual((await names.namesOf(wallet.address, 0, 64)).map((entry) => entry.name), ['ethers']);

// A contract that owns a name, and lets others write its records.
await mined(keeper.register('keeper-name', year, keeperSecret));
assert.equal(await names.owner('keeper-name'), keeper.target);
assert.equal(await provider.getBalance(keeper.target), ethers.parseEther('50') - await names.price('keeper-name', year));
await mined(keeper.appoint('keeper-name', wallet.address));
await mined(names.setRecords('keeper-name', '0x0101010000012c0010fd000000000000000000000000000001'));
await assert.rejects(keeper.keepAlive.staticCall('keeper-name'), (error) => error.revert?.name === 'NotYetNeeded');

console.log('names: ok');
