// Prints, as JSON, what both nodes are asked in the eth_call rows: the contracts' signed creations and the calls.
// Usage: node prepare.mjs ARTIFACTS CHAIN_ID MNEMONIC ROWS; ROWS: [[contract, function, arguments...], ...] as JSON.
// The creation code of the token that the block rows move is printed too.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ethers} from 'ethers';

const [artifacts, chainId, mnemonic, rowsText] = process.argv.slice(2);
const rows = JSON.parse(rowsText);
const artifact = (name) => JSON.parse(readFileSync(join(artifacts, `${name}.json`), 'utf8'));

const account = ethers.HDNodeWallet.fromPhrase(mnemonic, '', "m/44'/60'/0'/0/0");
const contracts = {};
let nonce = 0;
for (const name of new Set(rows.map(([contract]) => contract))) {
  const {abi, bytecode} = artifact(name);
  contracts[name] = {
    abi: new ethers.Interface(abi),
    address: ethers.getCreateAddress({from: account.address, nonce}),
    raw: await account.signTransaction({
      type: 2, chainId: Number(chainId), nonce, gasLimit: 5_000_000n, data: bytecode,
      maxFeePerGas: ethers.parseUnits('100', 'gwei'), maxPriorityFeePerGas: 1n,
    }),
  };
  nonce += 1;
}
const token = artifact('ExampleToken');
console.log(JSON.stringify({
  account: account.address,
  creations: Object.values(contracts).map(({raw}) => raw),
  calls: rows.map(([contract, name, ...values]) => (
    {to: contracts[contract].address, data: contracts[contract].abi.encodeFunctionData(name, values)})),
  token: new ethers.ContractFactory(token.abi, token.bytecode).interface.encodeDeploy(['Bench', 'BEN', 2n ** 128n - 1n])
    .replace('0x', token.bytecode),
}));
