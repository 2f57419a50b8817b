// ethers v6 deploys the example contracts and drives them: calls, events, reverts, receipts, logs, every transaction type.
// Variables: evm_lib.mjs. The same file passes against anvil.
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {ethers} from 'ethers';
import {accounts, artifact, connect, deploy, events, mined, minedButFailed, revertsWith, rpc, until} from './evm_lib.mjs';

const provider = connect();
const ether = ethers.parseEther;
const {chainId} = await provider.getNetwork();

// Suites run side by side, each with accounts of its own: most of the time is waiting for blocks.
describe('ethers', {concurrency: true}, () => {

describe('ERC-20', {concurrency: 1}, () => {
  let alice, bob, carol, token;
  const supply = ether('1000000');
  before(async () => {
    [alice, bob, carol] = await accounts(provider, 3);
    token = await deploy('ExampleToken', alice, ['Example', 'EXM', supply]);
  });

  test('is deployed at the address that the nonce gives, with the code that the compiler gave', async () => {
    const transaction = token.deploymentTransaction();
    const receipt = await provider.getTransactionReceipt(transaction.hash);
    assert.equal(receipt.contractAddress, ethers.getCreateAddress({from: alice.address, nonce: transaction.nonce}));
    assert.equal(receipt.to, null);
    assert.equal(await provider.getCode(token.target), artifact('ExampleToken').deployedBytecode);
    assert.deepEqual([await token.name(), await token.symbol(), await token.decimals(), await token.totalSupply()], ['Example', 'EXM', 18n, supply]);
    const [minted] = events(receipt, token, 'Transfer');
    assert.deepEqual([minted.from, minted.to, minted.value], [ethers.ZeroAddress, alice.address, supply]);
  });

  test('transfers, and says so in an event', async () => {
    const receipt = await mined(token.transfer(bob.address, 1234n));
    assert.equal(await token.balanceOf(bob.address), 1234n);
    const [moved] = events(receipt, token, 'Transfer');
    assert.deepEqual([moved.from, moved.to, moved.value], [alice.address, bob.address, 1234n]);
    assert.ok(BigInt(receipt.logsBloom) !== 0n);
  });

  test('refuses what nobody has, with a custom error: called, estimated and mined', async () => {
    const poor = token.connect(carol);
    const called = await revertsWith(poor.transfer.staticCall(bob.address, 5n), token, 'ERC20InsufficientBalance');
    assert.deepEqual([...called], [carol.address, 0n, 5n]);
    await revertsWith(poor.transfer.estimateGas(bob.address, 5n), token, 'ERC20InsufficientBalance');
    const before = await provider.getBalance(carol.address);
    const receipt = await minedButFailed(provider, poor.transfer(bob.address, 5n, {gasLimit: 100_000n}));
    assert.ok(receipt.gasUsed > 21_000n && receipt.gasUsed < 100_000n);
    assert.equal(before - (await provider.getBalance(carol.address)), receipt.gasUsed * receipt.gasPrice);
    await revertsWith(token.transfer.staticCall(ethers.ZeroAddress, 1n), token, 'ERC20InvalidReceiver');
  });

  test('is spent by those who are allowed, no further', async () => {
    await mined(token.approve(bob.address, 100n));
    await mined(token.connect(bob).transferFrom(alice.address, carol.address, 60n));
    assert.equal(await token.allowance(alice.address, bob.address), 40n);
    const refused = await revertsWith(token.connect(bob).transferFrom.staticCall(alice.address, carol.address, 41n), token, 'ERC20InsufficientAllowance');
    assert.deepEqual([...refused], [bob.address, 40n, 41n]);
    await mined(token.approve(bob.address, ethers.MaxUint256));
    await mined(token.connect(bob).transferFrom(alice.address, carol.address, 1n));
    assert.equal(await token.allowance(alice.address, bob.address), ethers.MaxUint256);
  });

  test('is approved by signature (EIP-2612), once', async () => {
    const types = {Permit: ['owner:address', 'spender:address', 'value:uint256', 'nonce:uint256', 'deadline:uint256']
      .map((field) => ({name: field.split(':')[0], type: field.split(':')[1]}))};
    const domain = {name: 'Example', version: '1', chainId, verifyingContract: token.target};
    assert.equal(await token.DOMAIN_SEPARATOR(), ethers.TypedDataEncoder.hashDomain(domain));
    const permit = {owner: alice.address, spender: carol.address, value: 77n, nonce: await token.nonces(alice.address), deadline: 2n ** 60n};
    const sign = async (signer, message) => ethers.Signature.from(await signer.signTypedData(domain, types, message));
    const call = (message, {v, r, s}) => [message.owner, message.spender, message.value, message.deadline, v, r, s];
    const byBob = await revertsWith(token.connect(carol).permit.staticCall(...call(permit, await sign(bob, permit))), token, 'ERC2612InvalidSigner');
    assert.deepEqual([...byBob], [bob.address, alice.address]);
    const signature = await sign(alice, permit);
    await mined(token.connect(carol).permit(...call(permit, signature)));
    assert.equal(await token.allowance(alice.address, carol.address), 77n);
    await revertsWith(token.connect(carol).permit.staticCall(...call(permit, signature)), token, 'ERC2612InvalidSigner');
    const late = {...permit, nonce: 1n, deadline: 1n};
    await revertsWith(token.permit.staticCall(...call(late, await sign(alice, late))), token, 'ERC2612ExpiredSignature');
    const mirrored = {v: signature.v === 27 ? 28 : 27, r: signature.r,
      s: ethers.toBeHex(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n - BigInt(signature.s), 32)};
    await revertsWith(token.permit.staticCall(...call(permit, mirrored)), token, 'ERC2612InvalidSigner');
  });

  test('costs the gas that was estimated, or less; with one unit less than it uses it fails', async () => {
    const to = ethers.Wallet.createRandom().address;
    const estimate = await token.transfer.estimateGas(to, 1n);
    const receipt = await mined(token.transfer(to, 1n, {gasLimit: estimate}));
    // No refund in this call: what it uses is what it needs.
    assert.ok(receipt.gasUsed <= estimate && receipt.gasUsed > 45_000n, `${receipt.gasUsed} of ${estimate}`);
    const other = ethers.Wallet.createRandom().address;
    const failed = await minedButFailed(provider, token.transfer(other, 1n, {gasLimit: receipt.gasUsed - 1n}));
    assert.equal(failed.gasUsed, receipt.gasUsed - 1n);
    assert.equal(await token.balanceOf(other), 0n);
  });

  test('is found in logs by block, range, address and topic; and by filters', async () => {
    const filter = (await rpc('eth_newFilter', {fromBlock: ethers.toQuantity(await provider.getBlockNumber()), address: token.target, topics: [ethers.id('Transfer(address,address,uint256)')]})).result;
    const receipt = await mined(token.transfer(bob.address, 9n));
    const pad = (address) => ethers.zeroPadValue(address, 32).toLowerCase();
    const byHash = await provider.getLogs({blockHash: receipt.blockHash, address: token.target});
    assert.deepEqual(byHash.map((log) => [log.transactionHash, log.index]), receipt.logs.map((log) => [log.transactionHash, log.index]));
    const range = {fromBlock: receipt.blockNumber, toBlock: receipt.blockNumber};
    assert.equal((await provider.getLogs({...range, topics: [null, pad(alice.address), [pad(carol.address), pad(bob.address)]], address: token.target})).length, 1);
    assert.equal((await provider.getLogs({...range, topics: [null, pad(bob.address)], address: token.target})).length, 0);
    assert.equal((await provider.getLogs({...range, address: bob.address})).length, 0);
    const sent = await token.queryFilter(token.filters.Transfer(alice.address, bob.address), 0);
    assert.deepEqual(sent.map((log) => log.args.value), [1234n, 9n]);
    const changes = (await rpc('eth_getFilterChanges', filter)).result;
    assert.deepEqual(changes.map((log) => log.transactionHash), [receipt.hash]);
    assert.deepEqual((await rpc('eth_getFilterChanges', filter)).result, []);
    assert.equal((await rpc('eth_getFilterLogs', filter)).result.at(-1).transactionHash, receipt.hash);
    assert.equal((await rpc('eth_uninstallFilter', filter)).result, true);
    assert.ok((await rpc('eth_getFilterChanges', filter)).error);
  });

  test('calls a listener for each event', async () => {
    const seen = [];
    const listener = (payload) => seen.push(payload.args.value);
    const filter = token.filters.Transfer(null, carol.address);
    await token.on(filter, listener);
    try {
      await mined(token.transfer(carol.address, 31n));
      await mined(token.transfer(bob.address, 32n));
      await mined(token.transfer(carol.address, 33n));
      await until('two events', () => seen.length >= 2, {timeoutMs: 20_000});
    } finally {
      await token.off(filter, listener);
    }
    assert.deepEqual(seen, [31n, 33n]);
  });

  test('keeps balances where Solidity puts them, now and at an earlier block', async () => {
    const slot = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(['address', 'uint256'], [bob.address, 3]));
    const held = await token.balanceOf(bob.address);
    assert.equal(BigInt(await provider.getStorage(token.target, slot)), held);
    const receipt = await mined(token.connect(bob).burn(4n));
    assert.equal(await token.balanceOf(bob.address), held - 4n);
    assert.equal(await token.totalSupply(), supply - 4n);
    assert.equal(await token.balanceOf(bob.address, {blockTag: receipt.blockNumber - 1}), held);
    assert.equal(BigInt(await provider.getStorage(token.target, slot, receipt.blockNumber - 1)), held);
    const proof = (await rpc('eth_getProof', token.target, [slot], ethers.toQuantity(receipt.blockNumber))).result;
    assert.equal(BigInt(proof.storageProof[0].value), held - 4n);
    assert.equal(proof.codeHash, ethers.keccak256(await provider.getCode(token.target)));
    assert.equal(ethers.keccak256(proof.storageProof[0].proof[0]), proof.storageHash);
  });
});

describe('ERC-721', {concurrency: 1}, () => {
  let alice, bob, carol, art;
  before(async () => {
    [alice, bob, carol] = await accounts(provider, 3);
    art = await deploy('ExampleCollectible', alice, ['Example Art', 'ART']);
    await mined(art.mint(alice.address, 'bonus://one'));
    await mined(art.mint(alice.address, 'bonus://two'));
  });

  test('has metadata and says which interfaces it has', async () => {
    assert.deepEqual([await art.name(), await art.symbol(), await art.tokenURI(2n), await art.ownerOf(1n)], ['Example Art', 'ART', 'bonus://two', alice.address]);
    const answers = await Promise.all(['0x01ffc9a7', '0x80ac58cd', '0x5b5e139f', '0xffffffff'].map((id) => art.supportsInterface(id)));
    assert.deepEqual(answers, [true, true, true, false]);
    await revertsWith(art.connect(bob).mint.staticCall(bob.address, 'x'), art, 'NotMinter');
    await revertsWith(art.tokenURI(99n), art, 'ERC721NonexistentToken');
  });

  test('moves by its owner and by those whom the owner approved', async () => {
    const refused = await revertsWith(art.connect(bob).transferFrom.staticCall(alice.address, bob.address, 1n), art, 'ERC721InsufficientApproval');
    assert.deepEqual([...refused], [bob.address, 1n]);
    await mined(art.approve(bob.address, 1n));
    const receipt = await mined(art.connect(bob).transferFrom(alice.address, carol.address, 1n));
    assert.deepEqual(events(receipt, art, 'Transfer').map((log) => [...log]), [[alice.address, carol.address, 1n]]);
    assert.equal(await art.getApproved(1n), ethers.ZeroAddress);
    await mined(art.connect(carol).setApprovalForAll(bob.address, true));
    await mined(art.connect(bob)['safeTransferFrom(address,address,uint256)'](carol.address, alice.address, 1n));
    assert.deepEqual([await art.balanceOf(alice.address), await art.balanceOf(carol.address)], [2n, 0n]);
    await revertsWith(art.transferFrom.staticCall(bob.address, carol.address, 1n), art, 'ERC721IncorrectOwner');
  });

  test('is given to contracts only when they take it', async () => {
    const give = art['safeTransferFrom(address,address,uint256,bytes)'];
    const [good, refusing, wrong] = [await deploy('GoodReceiver', bob), await deploy('RefusingReceiver', bob), await deploy('WrongAnswerReceiver', bob)];
    const receipt = await mined(give(alice.address, good.target, 2n, '0xc0ffee'));
    assert.deepEqual(events(receipt, good, 'Got').map((log) => [...log]), [[alice.address, alice.address, 2n, '0xc0ffee']]);
    assert.equal(await art.ownerOf(2n), good.target);
    assert.deepEqual([...await revertsWith(give.staticCall(alice.address, refusing.target, 1n, '0x'), refusing, 'NotWanted')], [1n]);
    await revertsWith(give.staticCall(alice.address, wrong.target, 1n, '0x'), art, 'ERC721InvalidReceiver');
    await revertsWith(give.staticCall(alice.address, refusing.target, 2n, '0x'), art, 'ERC721IncorrectOwner');
    // Mined, the refusal undoes the transfer.
    await minedButFailed(provider, give(alice.address, refusing.target, 1n, '0x', {gasLimit: 200_000n}));
    assert.equal(await art.ownerOf(1n), alice.address);
    await mined(art.burn(1n));
    await revertsWith(art.ownerOf(1n), art, 'ERC721NonexistentToken');
  });
});

describe('failures', {concurrency: 1}, () => {
  let failing;
  before(async () => {
    const [alice] = await accounts(provider, 1);
    failing = await deploy('Failures', alice);
  });
  const failure = async (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error);

  test('carry their reason', async () => {
    const reason = await failure(failing.withReason());
    assert.deepEqual([reason.code, reason.reason], ['CALL_EXCEPTION', 'the reason']);
    const custom = await failure(failing.withCustomError());
    assert.deepEqual([custom.revert.name, ...custom.revert.args], ['Custom', 7n, 'seven']);
    const none = await failure(failing.withoutReason());
    assert.deepEqual([none.code, none.data], ['CALL_EXCEPTION', '0x']);
    const division = await failure(failing.panics(0n));
    assert.deepEqual([division.revert.name, BigInt(division.revert.args[0])], ['Panic', 0x12n]);
    assert.equal(BigInt((await failure(failing.outOfBounds())).revert.args[0]), 0x32n);
    assert.equal(await failing.panics(1n), 1n);
    assert.equal((await failure(failing.invalidOpcode())).code, 'CALL_EXCEPTION');
  });

  test('are worded as geth words them', async () => {
    const call = (name) => rpc('eth_call', {to: failing.target, data: failing.interface.encodeFunctionData(name)}, 'latest');
    const answer = await call('withReason');
    assert.equal(answer.error.code, 3);
    assert.equal(answer.error.message, 'execution reverted: the reason');
    assert.equal(answer.error.data, failing.interface.encodeErrorResult('Error(string)', ['the reason']));
    assert.match((await call('withoutReason')).error.message, /^execution reverted/);
  });

  test('use up all gas when they do not stop', async () => {
    const receipt = await minedButFailed(provider, failing.endless({gasLimit: 300_000n}));
    assert.equal(receipt.gasUsed, 300_000n);
    const refused = await rpc('eth_call', {to: failing.target, data: failing.interface.encodeFunctionData('endless'), gas: '0x100000'}, 'latest');
    assert.match(refused.error.message, /out of gas|OutOfGas/);
  });
});

describe('blocks and transactions', {concurrency: 1}, () => {
  let alice, bob, carol;
  before(async () => {
    [alice, bob, carol] = await accounts(provider, 3);
  });

  test('agree with one another', async () => {
    const receipt = await mined(alice.sendTransaction({to: bob.address, value: 1n}));
    const block = await provider.getBlock(receipt.blockNumber, true);
    assert.equal(block.hash, receipt.blockHash);
    assert.equal(block.prefetchedTransactions[receipt.index].hash, receipt.hash);
    const transaction = await provider.getTransaction(receipt.hash);
    assert.deepEqual([transaction.from, transaction.to, transaction.value, transaction.blockNumber, transaction.type],
      [alice.address, bob.address, 1n, receipt.blockNumber, 2]);
    assert.equal(receipt.gasUsed, 21_000n);
    assert.ok(receipt.cumulativeGasUsed <= block.gasUsed);
    assert.ok(receipt.gasPrice >= block.baseFeePerGas && receipt.gasPrice <= transaction.maxFeePerGas);
    const receipts = (await rpc('eth_getBlockReceipts', ethers.toQuantity(receipt.blockNumber))).result;
    assert.equal(receipts[receipt.index].transactionHash, receipt.hash);
    assert.equal(await provider.getTransactionCount(alice.address), transaction.nonce + 1);
  });

  test('may be of type 0 and type 1 (EIP-2930); a listed slot is warm', async () => {
    const token = await deploy('ExampleToken', alice, ['Typed', 'TYP', ether('1')]);
    const legacy = await mined(token.transfer(bob.address, 1n, {type: 0}));
    assert.equal(legacy.type, 0);
    const slot = (address) => ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(['address', 'uint256'], [address, 3]));
    const accessList = [{address: token.target, storageKeys: [slot(alice.address), slot(bob.address)]}];
    const listed = await mined(token.transfer(bob.address, 1n, {type: 1, accessList}));
    assert.equal(listed.type, 1);
    const plain = await mined(token.transfer(bob.address, 1n, {type: 0}));
    // Two slots: 2 x 2000 saved (EIP-2929) for 2 x 1900; the address itself is warm already and costs 2400 (EIP-2930).
    assert.equal(listed.gasUsed - plain.gasUsed, 2400n - 2n * 100n);
    const sent = await provider.getTransaction(listed.hash);
    assert.deepEqual(sent.accessList.map((entry) => [entry.address, entry.storageKeys]), [[token.target, accessList[0].storageKeys]]);
    const made = (await rpc('eth_createAccessList', {from: alice.address, to: token.target, data: token.interface.encodeFunctionData('transfer', [bob.address, 1n])}, 'latest')).result;
    assert.deepEqual(new Set(made.accessList[0].storageKeys), new Set(accessList[0].storageKeys));
  });

  test('of type 4 give an account code for a while (EIP-7702)', async () => {
    const [account] = await accounts(provider, 1);
    const batch = await deploy('BatchAccount', alice);
    const token = await deploy('ExampleToken', account, ['Batched', 'BAT', ether('10')]);
    const me = new ethers.Contract(account.address, artifact('BatchAccount').abi, account);
    const nonce = await account.getNonce();
    // The account pays for itself: its transaction uses one nonce before the authorization is looked at.
    const authorization = await account.authorize({address: batch.target, chainId, nonce: nonce + 1});
    const transfer = (to, value) => [token.target, 0n, token.interface.encodeFunctionData('transfer', [to, value])];
    const data = me.interface.encodeFunctionData('execute', [[transfer(bob.address, 5n), transfer(carol.address, 6n), [bob.address, 7n, '0x']]]);
    const receipt = await mined(account.sendTransaction({type: 4, to: account.address, data, nonce, authorizationList: [authorization], gasLimit: 300_000n}));
    assert.equal(receipt.type, 4);
    assert.deepEqual(events(receipt, me, 'Executed').map((log) => log.calls), [3n]);
    assert.deepEqual([await token.balanceOf(bob.address), await token.balanceOf(carol.address)], [5n, 6n]);
    assert.equal(await provider.getCode(account.address), `0xef0100${batch.target.slice(2).toLowerCase()}`);
    assert.equal((await provider.getTransaction(receipt.hash)).authorizationList[0].address, batch.target);
    await revertsWith(me.connect(bob).execute.staticCall([]), me, 'NotSelf');
    const failed = await revertsWith(me.execute.staticCall([transfer(bob.address, 1n), transfer(bob.address, ether('11'))]), me, 'CallFailed');
    assert.equal(failed.index, 1n);
    assert.equal(token.interface.parseError(failed.reason).name, 'ERC20InsufficientBalance');
    // Another account may pay: here for taking the code away again.
    const away = await account.authorize({address: ethers.ZeroAddress, chainId, nonce: await account.getNonce()});
    await mined(bob.sendTransaction({type: 4, to: bob.address, authorizationList: [away], gasLimit: 100_000n}));
    assert.equal(await provider.getCode(account.address), '0x');
  });

  test('with blobs are refused in words', async () => {
    const fees = await provider.getFeeData();
    const raw = await alice.signTransaction(ethers.Transaction.from({
      type: 3, to: bob.address, nonce: await alice.getNonce(), chainId, gasLimit: 21_000n, maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas, maxFeePerBlobGas: 1_000_000_000n, blobVersionedHashes: [`0x01${'ab'.repeat(31)}`],
    }));
    const answer = await rpc('eth_sendRawTransaction', raw);
    assert.match(answer.error?.message ?? 'it was accepted', /blob|4844/i);
  });

  test('create contracts up to the limit of EIP-170 and EIP-3860, no larger', async () => {
    // Returns `size` zero bytes as the code.
    const creation = (size, padding = 0) => ethers.concat(['0x62', ethers.toBeHex(size, 3), '0x5ff3', new Uint8Array(padding)]);
    const receipt = await mined(alice.sendTransaction({data: creation(24_576), gasLimit: 6_000_000n}));
    assert.equal(ethers.dataLength(await provider.getCode(receipt.contractAddress)), 24_576);
    const failed = await minedButFailed(provider, alice.sendTransaction({data: creation(24_577), gasLimit: 6_000_000n}));
    assert.equal(await provider.getCode(ethers.getCreateAddress({from: alice.address, nonce: (await provider.getTransaction(failed.hash)).nonce})), '0x');
    await assert.rejects(alice.sendTransaction({data: creation(1, 49_152), gasLimit: 6_000_000n}), /init ?code|initcode/i);
  });
});

});
