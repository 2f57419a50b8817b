// Compiles the .sol interfaces with solc and compares every selector, output, mutability and event topic with the table of
// the C++ node (the output of `bonus-abi`), and the storage layout of the listings in docs/formats/market_storage.md and
// docs/formats/names.md with the fields that the C++ uses. Usage: node check_abi.mjs PATH/TO/bonus-abi. Exit 0: equal; 1: every
// difference is printed; 2: the check could not run.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'interfaces');
const program = process.argv[2];
if (!program) {
  console.error('usage: node check_abi.mjs PATH/TO/bonus-abi');
  process.exit(2);
}

const sources = {};
for (const name of readdirSync(folder).sort()) {
  if (name.endsWith('.sol')) sources[name] = { content: readFileSync(join(folder, name), 'utf8') };
}
const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources,
  // The IR of an interface is empty, but "evm.methodIdentifiers" gives selectors computed by the compiler itself.
  settings: { outputSelection: { '*': { '*': ['abi', 'evm.methodIdentifiers'] } } },
})));
const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length > 0) {
  for (const error of errors) console.error(error.formattedMessage);
  process.exit(2);
}

// "(uint256,(address,bool)[])" from an ABI entry's inputs or outputs.
const tuple = (parameters) => `(${parameters.map(canonical).join(',')})`;
function canonical(parameter) {
  if (!parameter.type.startsWith('tuple')) return parameter.type;
  return tuple(parameter.components) + parameter.type.slice('tuple'.length);
}

const wanted = new Map();
const put = (map, key, value) => {
  if (map.has(key)) throw new Error(`${key} occurs twice`);
  map.set(key, value);
};
for (const file of Object.values(output.contracts)) {
  for (const [contract, compiled] of Object.entries(file)) {
    for (const entry of compiled.abi) {
      const signature = `${entry.name}${tuple(entry.inputs ?? [])}`;
      if (entry.type === 'function') {
        put(wanted, `${contract}.${signature}`,
          `selector ${compiled.evm.methodIdentifiers[signature]} returns ${tuple(entry.outputs)} ${entry.stateMutability}`);
      } else if (entry.type === 'event') {
        const flags = entry.inputs.map((input) => input.indexed);
        const count = flags.filter(Boolean).length;
        if (flags.lastIndexOf(true) >= count) throw new Error(`${signature}: indexed parameters must come first`);
        put(wanted, `${contract} event ${signature}`, `indexed ${count}`);
      }
    }
  }
}

const table = JSON.parse(execFileSync(program, { encoding: 'utf8' }));
const found = new Map();
for (const info of table.functions) {
  put(found, `${info.contract}.${info.signature}`,
    `selector ${info.selector} returns ${info.outputs} ${info.mutability}`);
}
for (const info of table.events) put(found, `${info.contract} event ${info.signature}`, `indexed ${info.indexed}`);

// The compiler gives no topic of an event in an interface; a contract that returns E.selector does.
const probes = table.events.map((info, index) =>
  `function e${index}() external pure returns (bytes32) { return ${info.contract}.${info.signature.split('(')[0]}.selector; }`);
const probe = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: {
    ...sources,
    'Probe.sol': {
      content: `pragma solidity ^0.8.20; import "./IMarket.sol"; import "./INodes.sol"; import "./INames.sol"; contract Probe { ${probes.join('\n')} }`,
    },
  },
  settings: { optimizer: { enabled: false }, outputSelection: { 'Probe.sol': { Probe: ['evm.deployedBytecode.object'] } } },
})));
const code = probe.contracts?.['Probe.sol']?.Probe?.evm.deployedBytecode.object ?? '';
let differences = 0;
const report = (text) => {
  differences += 1;
  console.error(text);
};
for (const info of table.events) {
  // 7f is PUSH32. A topic with leading zero bytes would use a shorter PUSH; then its digits without zeros are looked for.
  const digits = info.topic.replace(/^(00)+/, '');
  if (!code.includes(digits)) report(`${info.contract} event ${info.signature}: topic ${info.topic} is not solc's`);
}
for (const [key, value] of wanted) {
  if (!found.has(key)) report(`missing in C++: ${key}`);
  else if (found.get(key) !== value) report(`${key}\n  .sol: ${value}\n  C++:  ${found.get(key)}`);
}
for (const key of found.keys()) if (!wanted.has(key)) report(`not in the .sol files: ${key}`);

// Storage: solc's layout of the listings, by "Contract.Struct.member" and "Contract.variable".
const page = ['market_storage.md', 'names.md'].map((name) => readFileSync(join(folder, '..', '..', 'docs', 'formats', name), 'utf8')).join('\n');
const listings = {};
for (const match of page.matchAll(/```solidity\n([\s\S]*?)```/g)) listings[`Listing${Object.keys(listings).length}.sol`] = { content: match[1] };
const layouts = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: listings,
  settings: { outputSelection: { '*': { '*': ['storageLayout'] } } },
})));
for (const error of (layouts.errors ?? []).filter((entry) => entry.severity === 'error')) report(error.formattedMessage);
const places = new Map();
const sizes = new Map();
for (const file of Object.values(layouts.contracts ?? {})) {
  for (const [contract, compiled] of Object.entries(file)) {
    const { storage, types } = compiled.storageLayout;
    const bytes = (type) => (types[type].encoding === 'inplace' && !types[type].members && !types[type].base ? Number(types[type].numberOfBytes) : 0);
    for (const entry of storage) put(places, `${contract}.${entry.label}`, { ...entry, bytes: bytes(entry.type) });
    for (const type of Object.values(types)) {
      if (!type.members) continue;
      const name = type.label.replace(/^struct .*\./, '');
      put(sizes, `${contract}.${name}`, Number(type.numberOfBytes) / 32);
      for (const member of type.members) put(places, `${contract}.${name}.${member.label}`, { ...member, bytes: bytes(member.type) });
    }
  }
}
const used = new Set();
for (const entry of table.layout) {
  const key = `${entry.contract}.${entry.name}`;
  used.add(key);
  const place = places.get(key);
  if (!place) report(`not in the listings: ${key}`);
  else if (Number(place.slot) !== entry.slot || place.offset !== entry.offset || (entry.bytes !== 0 && place.bytes !== entry.bytes)) {
    report(`${key}\n  listing: word ${place.slot}, byte ${place.offset}, ${place.bytes} bytes\n  C++:     word ${entry.slot}, byte ${entry.offset}, ${entry.bytes} bytes`);
  }
}
// Timer and Due are encoded by the code that owns them.
for (const key of places.keys()) {
  if (!used.has(key) && !/\.(Timer|Due)\./.test(key)) report(`only in the listings: ${key}`);
}
for (const entry of table.sizes) {
  if (sizes.get(`${entry.contract}.${entry.name}`) !== entry.words) report(`size of ${entry.contract}.${entry.name}`);
}

if (differences > 0) {
  console.error(`${differences} difference(s)`);
  process.exit(1);
}
console.log(`ABI matches: ${table.functions.length} functions, ${table.events.length} events; storage matches: ${table.layout.length} fields (solc ${solc.version()})`);
