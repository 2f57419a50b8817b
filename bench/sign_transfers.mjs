// Prints COUNT signed transfers to fresh addresses, one raw transaction a line: up to 50 a sender, because a mempool holds only
// so many of one account. The senders are funded first.
import {createRequire} from 'node:module';
const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
const {ethers} = require('ethers');

const PER_SENDER = 50;
const [url, mnemonic, count] = process.argv.slice(2);
const provider = new ethers.JsonRpcProvider(url, undefined, {cacheTimeout: -1});
const {chainId} = await provider.getNetwork();
const root = ethers.HDNodeWallet.fromPhrase(mnemonic, '', "m/44'/60'/0'/0");
const funder = root.deriveChild(0).connect(provider);
const senders = Array.from({length: Math.ceil(count / PER_SENDER)}, (_, i) => root.deriveChild(1000 + i));

const fees = {maxFeePerGas: ethers.parseUnits('100', 'gwei'), maxPriorityFeePerGas: 1n, gasLimit: 21000n};
const first = await provider.getTransactionCount(funder.address, 'pending');
for (let at = 0; at < senders.length; at += PER_SENDER) {
  const sent = await Promise.all(senders.slice(at, at + PER_SENDER).map((sender, i) => funder.sendTransaction(
      {...fees, type: 2, chainId, nonce: first + at + i, to: sender.address, value: ethers.parseEther('1')})));
  await sent.at(-1).wait();
}

const lines = [];
for (let i = 0; i < Number(count); i++) {
  const sender = senders[i % senders.length];
  lines.push(await sender.signTransaction({
    ...fees, type: 2, chainId, nonce: Math.floor(i / senders.length), to: ethers.toBeHex(BigInt(0xbe00000 + i), 20), value: 1n,
  }));
}
process.stdout.write(lines.join('\n') + '\n', () => process.exit(0));
