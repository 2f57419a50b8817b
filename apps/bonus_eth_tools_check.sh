#!/usr/bin/env bash
# bonus-blocktest and bonus-t8n as programs: what they print and how they exit.
# bonus_eth_tools_check.sh BONUS-BLOCKTEST BONUS-T8N
set -u
blocktest=$1
t8n=$2
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
failed=0
expect() { # NAME WANT HAVE
  if [[ $2 != "$3" ]]; then
    echo "FAILED $1: want '$2', have '$3'"
    failed=1
  fi
}

golden=bonus/chain/eth/testdata/blocktest.json
out=$("$blocktest" "$golden")
expect "golden block test" "1 files, 1 tests passed, 0 failed, 0 skipped 0" "$out $?"
sed 's/"homesteadToEIP150"/"other"/; s/"lastblockhash": "0x../"lastblockhash": "0x00/' "$golden" > "$work/wrong.json"
out=$("$blocktest" --quiet "$work/wrong.json" | grep -c 'FAILED .*wrong.json: other: the head is')
expect "a wrong head is named" 1 "$out"
"$blocktest" --quiet "$work/wrong.json" > /dev/null
expect "a failure's exit code" 1 $?
"$blocktest" -k nothing "$golden" > /dev/null
expect "exit code when nothing ran" 1 $?
"$blocktest" "$work/missing" 2> /dev/null
expect "exit code of a missing path" 2 $?

# The roots are what geth's evm t8n answers for this input.
cat > "$work/in.json" <<'JSON'
{"alloc": {"0x8a8eafb1cf62bfbeb1741769dae1a9dd47996192": {"balance": "0xfeedbead"},
           "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b": {"balance": "0x5ffd4878be161d74", "nonce": "0xac"}},
 "env": {"currentCoinbase": "0xc94f5374fce5edbc8e2a8697c15331677e6ebf0b", "currentDifficulty": "0x20000",
         "currentGasLimit": "0x750a163df65e8a", "currentNumber": "1", "currentTimestamp": "1000"},
 "txs": [{"gas": "0x5208", "gasPrice": "0x2", "input": "0x", "nonce": "0x0", "v": "0x1b", "value": "0x1",
          "r": "0x9500e8ba27d3c33ca7764e107410f44cbd8c19794bde214d694683a7aa998cdb",
          "s": "0x7235ae07e4bd6e0206d102b1f8979d6adab280466b6a82d2208ee08951f1f600",
          "to": "0x8a8eafb1cf62bfbeb1741769dae1a9dd47996192"}]}
JSON
piped=(--input.alloc stdin --input.env stdin --input.txs stdin)
out=$("$t8n" t8n "${piped[@]}" --state.fork Byzantium --output.alloc '' --output.result stdout --output.body body.rlp \
  --output.basedir "$work/out" --trace < "$work/in.json")
expect "exit code of t8n" 0 $?
expect "state root" 1 "$(grep -c '"stateRoot":"0x84208a19bc2b46ada7445180c1db162be5b39b9abc8c0a54b05d32943eae4e13"' <<<"$out")"
expect "receipts root" 1 "$(grep -c '"receiptsRoot":"0x056b23fbba480696b65fe5a59b8f2148a1299103c4f57df839233af2cf4ca2d2"' <<<"$out")"
expect "body" '"0xf861f85f' "$(head -c 11 "$work/out/body.rlp")"
expect "one trace" 1 "$(find "$work/out" -name 'trace-0-0x*.jsonl' | wc -l)"
"$t8n" "${piped[@]}" --state.fork Frontier+1346 --output.basedir "$work/out" < "$work/in.json" 2> /dev/null
expect "exit code of an unknown fork" 3 $?
"$t8n" "${piped[@]}" --state.fork London --output.basedir "$work/out" < "$work/in.json" 2> /dev/null
expect "exit code without a base fee" 3 $?
"$t8n" "${piped[@]}" --state.fork Byzantium --output.basedir "$work/out" <<<'{' 2> /dev/null
expect "exit code of malformed input" 10 $?
"$t8n" --input.alloc "$work/missing" --state.fork Byzantium 2> /dev/null
expect "exit code of a missing file" 11 $?
exit $failed
