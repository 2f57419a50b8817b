// Random programs on anvil (revm): each state test of a folder is set up by anvil_set*, its transaction is mined, and the receipt and every account
// are compared with what the file and our own run say.
// usage: node anvil_diff.mjs BONUS-STATETEST [--count 200] [--seed 1] [--fork Osaka] [--anvil PATH]
// Forks from London on: anvil 1.7.1 charges later gas (cold slots, a fifth as refund) under the older names too.
// Exit code 1 when anything differs. Programs that ask for PREVRANDAO or BLOCKHASH are passed over: anvil's are its own.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' }, fork: { type: 'string', default: 'Osaka' },
    anvil: { type: 'string', default: join(here, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil') },
  },
})
const statetest = positionals[0]
if (statetest === undefined || !existsSync(values.anvil)) {
  console.error(statetest === undefined ? 'which bonus-statetest?' : `no anvil at ${values.anvil}: tools/dev/npm_ci tests/differential`)
  process.exit(2)
}

async function freePort() {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

class Rpc {
  constructor(port) {
    this.url = `http://127.0.0.1:${port}`
    this.id = 0
  }
  /** Sends the calls as one batch; an error of any is thrown. */
  async batch(calls) {
    const body = calls.map(([method, params]) => ({ jsonrpc: '2.0', id: (this.id += 1), method, params }))
    const answer = await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const replies = new Map((await answer.json()).map((reply) => [reply.id, reply]))
    return body.map(({ id, method }) => {
      const { result, error } = replies.get(id)
      if (error) throw new Error(`${method}: ${error.message}`)
      return result
    })
  }
  async call(method, ...params) { return (await this.batch([[method, params]]))[0] }
}

async function startAnvil(environment) {
  const port = await freePort()
  const child = spawn(values.anvil, [
    '--port', port, '--host', '127.0.0.1', '--chain-id', '1', '--hardfork', values.fork.toLowerCase(), '--accounts', '1',
    '--number', Number(environment.currentNumber) - 1, '--timestamp', Number(environment.currentTimestamp) - 1, '--gas-limit', Number(environment.currentGasLimit),
    '--block-base-fee-per-gas', Number(environment.currentBaseFee), '--balance', '1', '--no-mining', '--auto-impersonate', '--disable-console-log',
    '--disable-default-create2-deployer', '--disable-min-priority-fee', '--quiet',
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  const rpc = new Rpc(port)
  for (let i = 0; i < 200; i += 1) {
    try {
      await rpc.call('eth_chainId')
      return { child, rpc }
    } catch { await new Promise((resolve) => setTimeout(resolve, 50)) }
  }
  child.kill()
  throw new Error('anvil does not answer')
}

/** Does the code hold this instruction outside of push data? */
function uses(code, wanted) {
  const bytes = Buffer.from(code.slice(2), 'hex')
  for (let pc = 0; pc < bytes.length; pc += 1) {
    if (wanted.includes(bytes[pc])) return true
    if (bytes[pc] >= 0x60 && bytes[pc] <= 0x7f) pc += bytes[pc] - 0x5f
  }
  return false
}
const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`

async function run(rpc, test) {
  const { pre, env, transaction } = test
  const setup = []
  for (const [address, account] of Object.entries(pre)) {
    setup.push(['anvil_setBalance', [address, account.balance]])
    if (account.nonce !== '0x0') setup.push(['anvil_setNonce', [address, account.nonce]])
    if (account.code !== '0x') setup.push(['anvil_setCode', [address, account.code]])
    for (const [slot, value] of Object.entries(account.storage)) setup.push(['anvil_setStorageAt', [address, word(slot), word(value)]])
  }
  setup.push(['anvil_setCoinbase', [env.currentCoinbase]])
  setup.push(['evm_setNextBlockTimestamp', [env.currentTimestamp]])
  setup.push(['anvil_setNextBlockBaseFeePerGas', [env.currentBaseFee]])
  await rpc.batch(setup)
  const fees = transaction.gasPrice ? { gasPrice: transaction.gasPrice }
    : { maxFeePerGas: transaction.maxFeePerGas, maxPriorityFeePerGas: transaction.maxPriorityFeePerGas }
  const request = {
    from: transaction.sender, gas: transaction.gasLimit[0], value: transaction.value[0], data: transaction.data[0], nonce: transaction.nonce, ...fees,
    ...(transaction.to ? { to: transaction.to } : {}), ...(transaction.accessLists ? { accessList: transaction.accessLists[0] } : {}),
  }
  let hash
  try {
    hash = await rpc.call('eth_sendTransaction', request)
  } catch (error) {
    return { refused: error.message }
  }
  await rpc.call('anvil_mine', '0x1')
  const receipt = await rpc.call('eth_getTransactionReceipt', hash)
  return receipt === null ? { refused: 'not mined' } : { receipt }
}

/** Lines that say where anvil's state and receipt are not ours. */
async function compare(rpc, ours, got) {
  if (got.refused !== undefined) return ours.refusal ? [] : [`anvil refuses: ${got.refused}`]
  if (ours.refusal) return [`anvil accepts, ours: ${ours.refusal}`]
  const out = []
  const { receipt } = got
  if (Number(receipt.gasUsed) !== ours.gasUsed) out.push(`gas ${Number(receipt.gasUsed)}, ours ${ours.gasUsed}`)
  if ((receipt.status === '0x1') !== ours.success) out.push(`status ${receipt.status}, ours ${ours.success}`)
  const logs = JSON.stringify(receipt.logs.map(({ address, topics, data }) => ({ address, topics, data })))
  if (logs !== JSON.stringify(ours.logs)) out.push(`logs ${logs}, ours ${JSON.stringify(ours.logs)}`)
  for (const [address, account] of Object.entries(ours.accounts)) {
    const slots = Object.entries(account.storage)
    const [balance, nonce, code, ...storage] = await rpc.batch([
      ['eth_getBalance', [address, 'latest']], ['eth_getTransactionCount', [address, 'latest']], ['eth_getCode', [address, 'latest']],
      ...slots.map(([slot]) => ['eth_getStorageAt', [address, slot, 'latest']]),
    ])
    if (BigInt(balance) !== BigInt(account.balance)) out.push(`${address} balance ${balance}, ours ${account.balance}`)
    if (BigInt(nonce) !== BigInt(account.nonce)) out.push(`${address} nonce ${nonce}, ours ${account.nonce}`)
    if (code !== account.code) out.push(`${address} code ${code}, ours ${account.code}`)
    slots.forEach(([slot, value], i) => {
      if (BigInt(storage[i]) !== BigInt(value)) out.push(`${address} slot ${slot} is ${storage[i]}, ours ${value}`)
    })
  }
  return out
}

const folder = mkdtempSync(join(tmpdir(), 'bonus-anvil-'))
let anvil
try {
  const made = spawnSync(statetest, ['--generate', values.count, '--seed', values.seed, '--fork', values.fork, folder], { stdio: 'inherit' })
  if (made.status !== 0) throw new Error('bonus-statetest --generate failed')
  const tests = readdirSync(folder).filter((name) => name.endsWith('.json')).sort()
    .flatMap((name) => Object.entries(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
  const usable = tests.filter(([, { pre, transaction }]) =>
    ![transaction.data[0], ...Object.values(pre).map(({ code }) => code)].some((code) => uses(code, [0x40, 0x44])))
  anvil = await startAnvil(usable[0][1].env)
  let snapshot = await anvil.rpc.call('evm_snapshot')
  let failed = 0
  for (const [name, test] of usable) {
    const ours = test.post[values.fork][0].outcome
    const lines = await compare(anvil.rpc, ours, await run(anvil.rpc, test))
    if (lines.length > 0) {
      failed += 1
      console.log(`differs: ${name}\n  ${lines.join('\n  ')}`)
    }
    await anvil.rpc.call('evm_revert', snapshot)
    snapshot = await anvil.rpc.call('evm_snapshot')
  }
  console.log(`${tests.length - usable.length} programs use what anvil decides itself`)
  console.log(`${usable.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 && usable.length > 0 ? 0 : 1
} finally {
  anvil?.child.kill()
  rmSync(folder, { recursive: true })
}
