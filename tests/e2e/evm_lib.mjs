// What the EVM's client tests share: where the node is, compiled contracts, funded accounts of their own.
//
// BONUS_RPC: URL of the node's JSON-RPC (a devnet's, or anvil's during development). BONUS_ARTIFACTS: the folder that
// contracts/build_examples.mjs wrote. BONUS_MNEMONIC: its account BONUS_FAUCET_INDEX pays for everything; default: account 0 of the
// development phrase. Files that run side by side need different ones.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ethers} from 'ethers';

export const env = (name, otherwise) => {
  const value = process.env[name] ?? otherwise;
  assert.ok(value, `the environment variable ${name} is needed`);
  return value;
};

export const url = env('BONUS_RPC');
export const artifact = (name) => JSON.parse(readFileSync(join(env('BONUS_ARTIFACTS'), `${name}.json`), 'utf8'));

/// Fails with `what` when `condition` has not become true (or any other value that counts as true) in time.
export async function until(what, condition, {timeoutMs = 60_000, everyMs = 200} = {}) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/// One JSON-RPC request without any library: the answer as it is, error included.
export async function rpc(method, ...params) {
  const response = await fetch(url, {
    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({jsonrpc: '2.0', id: 1, method, params}),
    signal: AbortSignal.timeout(30_000),
  });
  return response.json();
}

export const connect = () => {
  const provider = new ethers.JsonRpcProvider(url, undefined, {cacheTimeout: -1});
  provider.pollingInterval = 150;
  return provider;
};

let faucetIsFree = Promise.resolve();

/// New random accounts, each with `bnc` coins. Tests that run side by side must not share an account: its nonces would clash.
export async function accounts(provider, count, bnc = '100') {
  const fresh = Array.from({length: count}, () => ethers.Wallet.createRandom().connect(provider));
  const funded = faucetIsFree.then(async () => {
    const phrase = ethers.Mnemonic.fromPhrase(env('BONUS_MNEMONIC', 'test test test test test test test test test test test junk'));
    const faucet = ethers.HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${env('BONUS_FAUCET_INDEX', '0')}`).connect(provider);
    let nonce = await provider.getTransactionCount(faucet.address, 'pending');
    const sent = [];
    for (const wallet of fresh) sent.push(await faucet.sendTransaction({to: wallet.address, value: ethers.parseEther(bnc), nonce: nonce++}));
    return sent;
  });
  faucetIsFree = funded.catch(() => {});
  for (const transaction of await funded) await transaction.wait(1, 60_000);
  return fresh;
}

export async function deploy(name, wallet, args = [], overrides = {}) {
  const {abi, bytecode} = artifact(name);
  const contract = await new ethers.ContractFactory(abi, bytecode, wallet).deploy(...args, overrides);
  await contract.waitForDeployment();
  return contract;
}

/// Sends and waits for success.
export async function mined(promise) {
  const receipt = await (await promise).wait(1, 60_000);
  assert.equal(receipt.status, 1);
  return receipt;
}

/// The call must revert with this custom error of the contract, whose arguments are returned.
export async function revertsWith(promise, contract, name) {
  let error;
  await assert.rejects(promise, (thrown) => {
    error = thrown;
    return true;
  });
  assert.equal(error.code, 'CALL_EXCEPTION', `${error.shortMessage ?? error}`);
  const parsed = error.data ? contract.interface.parseError(error.data) : null;
  assert.equal(parsed?.name, name, `${error.shortMessage} ${error.data}`);
  return parsed.args;
}

/// Mined although it fails: given gas by hand, because a wallet's estimate would refuse it. The receipt.
export async function minedButFailed(provider, promise) {
  const {hash} = await promise;
  const receipt = await until(`the receipt of ${hash}`, () => provider.getTransactionReceipt(hash));
  assert.equal(receipt.status, 0);
  assert.equal(receipt.logs.length, 0);
  return receipt;
}

/// Logs of one contract in a receipt, decoded, by event name.
export const events = (receipt, contract, name) => receipt.logs
  .filter((log) => log.address.toLowerCase() === contract.target.toLowerCase())
  .map((log) => contract.interface.parseLog(log)).filter((log) => log?.name === name).map((log) => log.args);
