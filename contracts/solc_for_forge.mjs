#!/usr/bin/env node
// The pinned npm solc behind the command line of the native one, as far as forge uses it: forge can then compile without
// downloading a compiler (`forge build --use ./solc_for_forge.mjs`).
import {readFileSync} from 'node:fs';
import solc from 'solc';

if (process.argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (process.argv.includes('--standard-json')) {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')));
} else {
  console.error('usage: solc_for_forge.mjs --version | --standard-json <input >output');
  process.exit(2);
}
