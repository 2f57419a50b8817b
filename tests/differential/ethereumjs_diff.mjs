// Runs state tests on @ethereumjs/vm and compares its state roots and logs with those in the files.
// usage: node ethereumjs_diff.mjs FOLDER     (bonus-statetest --generate writes such folders)
// Prints the names of the tests that differ, with both roots; exit code 1 when any does.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createBlock } from '@ethereumjs/block'
import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { createTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromString, hexToBytes, bytesToHex, setLengthLeft, toBytes, utf8ToBytes } from '@ethereumjs/util'
import { createVM, runTx } from '@ethereumjs/vm'
import { keccak_256 } from '@noble/hashes/sha3.js'

const FORKS = {
  Frontier: Hardfork.Chainstart, Homestead: Hardfork.Homestead, EIP150: Hardfork.TangerineWhistle, EIP158: Hardfork.SpuriousDragon,
  Byzantium: Hardfork.Byzantium, Constantinople: Hardfork.Constantinople, Petersburg: Hardfork.Petersburg, Istanbul: Hardfork.Istanbul,
  Berlin: Hardfork.Berlin, London: Hardfork.London, Paris: Hardfork.Paris, Shanghai: Hardfork.Shanghai, Cancun: Hardfork.Cancun,
  Prague: Hardfork.Prague, Osaka: Hardfork.Osaka,
}
const word = (hex) => setLengthLeft(hexToBytes(hex), 32)
const even = (hex) => (hex.length % 2 === 0 ? hex : `0x0${hex.slice(2)}`)

// What state tests take for the hash of block n: keccak256 of its decimal number.
const blockchain = {
  getBlock: async (number) => ({ hash: () => keccak_256(utf8ToBytes(BigInt(number).toString())) }),
  putBlock: async () => {}, shallowCopy: () => blockchain,
}

// No random input is a valid proof: what is asked is whether the call fails.
const kzg = { verifyProof: () => false }

async function stateOf(pre, common) {
  const trie = new MerklePatriciaTrie({ useKeyHashing: true, common })
  const state = new MerkleStateManager({ trie, common })
  await state.checkpoint()
  for (const [hex, item] of Object.entries(pre)) {
    const address = createAddressFromString(hex)
    await state.putAccount(address, createAccount({ nonce: BigInt(item.nonce), balance: BigInt(item.balance) }))
    if (item.code.length > 2) await state.putCode(address, hexToBytes(item.code))
    for (const [slot, value] of Object.entries(item.storage)) await state.putStorage(address, word(even(slot)), toBytes(even(value)))
  }
  await state.commit()
  await state.flush()
  return state
}

function feesOf(transaction) {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas, accessLists } = transaction
  if (maxFeePerGas !== undefined) return { type: 2, chainId: 1, maxFeePerGas, maxPriorityFeePerGas, accessList: accessLists[0] }
  return accessLists === undefined ? { gasPrice } : { type: 1, chainId: 1, gasPrice, accessList: accessLists[0] }
}

async function run(test, fork) {
  const common = new Common({ chain: Mainnet, hardfork: FORKS[fork], customCrypto: { kzg } })
  const { env, transaction } = test
  const stateManager = await stateOf(test.pre, common)
  const vm = await createVM({ common, stateManager, blockchain })
  const header = {
    coinbase: env.currentCoinbase, number: env.currentNumber, timestamp: env.currentTimestamp, gasLimit: env.currentGasLimit,
    difficulty: common.gteHardfork(Hardfork.Paris) ? 0n : env.currentDifficulty, mixHash: env.currentRandom,
  }
  if (common.isActivatedEIP(1559)) header.baseFeePerGas = env.currentBaseFee
  if (common.isActivatedEIP(4844)) Object.assign(header, { excessBlobGas: env.currentExcessBlobGas, blobGasUsed: 0n })
  const block = createBlock({ header }, { common, skipConsensusFormatValidation: true })
  try {
    const tx = createTx({
      nonce: transaction.nonce, gasLimit: transaction.gasLimit[0], value: transaction.value[0], data: transaction.data[0],
      ...(transaction.to ? { to: transaction.to } : {}), ...feesOf(transaction),
    }, { common }).sign(word(transaction.secretKey))
    const result = await runTx(vm, { tx, block, skipHardForkValidation: true })
    const logs = bytesToHex(keccak_256(RLP.encode(result.receipt.logs)))
    return { root: bytesToHex(await stateManager.getStateRoot()), logs, gas: result.totalGasSpent, error: result.execResult.exceptionError?.error }
  } catch (error) {
    return { refused: error.message }
  }
}

const folder = process.argv[2]
let passed = 0
let failed = 0
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
  for (const [name, test] of Object.entries(JSON.parse(readFileSync(join(folder, file), 'utf8')))) {
    for (const [fork, posts] of Object.entries(test.post)) {
      const want = posts[0]
      const got = await run(test, fork)
      const same = got.refused !== undefined ? want.expectException !== undefined
        : want.expectException === undefined && got.root === want.hash && got.logs === want.logs
      if (same) {
        passed += 1
      } else {
        failed += 1
        console.log(`differs: ${name} [${fork}]: ${JSON.stringify({ ...got, gas: Number(got.gas) })}, ours ${want.hash} ${want.expectException ?? ''}`)
      }
    }
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
