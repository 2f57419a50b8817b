// Compiles the Solidity sources of this folder with the pinned solc and writes one artifact a contract or interface: ABI, creation
// and run-time code. Usage: node build_examples.mjs OUT [FOLDER...]; FOLDER: examples, test, bench; default: all that exist.
// Exit 0: written; 1: the compiler complained (warnings count); 2: wrong usage.
import {existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import solc from 'solc';

const root = dirname(fileURLToPath(import.meta.url));
const [out, ...chosen] = process.argv.slice(2);
if (!out) {
  console.error('usage: node build_examples.mjs OUT [FOLDER...]');
  process.exit(2);
}
const folders = chosen.length > 0 ? chosen : ['examples', 'test', 'bench'].filter((folder) => existsSync(join(root, folder)));

// The rules that BonusChain begins with (docs: chain/api/revision.hpp); foundry.toml says the same to forge.
const settings = {optimizer: {enabled: true, runs: 200}, evmVersion: 'osaka'};

/// Standard JSON in, standard JSON out; imports are looked up beside the importing file.
const compile = (sources, language, selection) => JSON.parse(solc.compile(
  JSON.stringify({language, sources, settings: {...settings, outputSelection: {'*': {'*': selection}}}}),
  {import: (path) => {
    const file = join(root, path);
    return existsSync(file) ? {contents: readFileSync(file, 'utf8')} : {error: `${path} does not exist`};
  }},
));

const sources = {};
for (const folder of folders) {
  for (const name of readdirSync(join(root, folder)).sort()) {
    // Tests and scripts are forge's business.
    if (name.endsWith('.sol') && !/\.[ts]\.sol$/.test(name)) sources[`${folder}/${name}`] = {content: readFileSync(join(root, folder, name), 'utf8')};
  }
}
const outputs = [compile(sources, 'Solidity', ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'])];
const complaints = outputs.flatMap((output) => output.errors ?? []);
for (const complaint of complaints) console.error(complaint.formattedMessage);
if (complaints.length > 0) process.exit(1);

mkdirSync(out, {recursive: true});
let written = 0;
for (const [sourceName, contracts] of outputs.flatMap((output) => Object.entries(output.contracts))) {
  for (const [contractName, compiled] of Object.entries(contracts)) {
    // The code of an interface is empty; its ABI is what clients need.
    const artifact = {
      contractName, sourceName, abi: compiled.abi, bytecode: `0x${compiled.evm.bytecode.object}`,
      deployedBytecode: `0x${compiled.evm.deployedBytecode.object}`,
    };
    writeFileSync(join(out, `${contractName}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
    written += 1;
  }
}
console.log(`${written} contracts compiled by solc ${solc.version()} to ${resolve(out)}`);
