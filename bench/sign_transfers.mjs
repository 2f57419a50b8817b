// Prints COUNT signed transfers of one sender to fresh addresses, one raw transaction a line.
import {createRequire} from 'node:module';
const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
const {ethers} = require('ethers');

const [url, mnemonic, count] = process.argv.slice(2);
const provider = new ethers.JsonRpcProvider(url);
const wallet = ethers.HDNodeWallet.fromPhrase(mnemonic).connect(provider);
const nonce = await provider.getTransactionCount(wallet.address, 'pending');
const {chainId} = await provider.getNetwork();
const lines = [];
for (let i = 0; i < Number(count); i++) {
  lines.push(await wallet.signTransaction({
    type: 2, chainId, nonce: nonce + i, gasLimit: 21000n, maxFeePerGas: ethers.parseUnits('100', 'gwei'),
    maxPriorityFeePerGas: 1n, to: ethers.toBeHex(BigInt(0xbe00000) + BigInt(i), 20), value: 1n,
  }));
}
console.log(lines.join('\n'));
process.exit(0);
