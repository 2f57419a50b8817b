#!/usr/bin/env bash
# Runs published state tests, all of which must pass: bonus_statetest_check.sh BONUS-STATETEST COUNT [--reference] FOLDER...
# FOLDER lies in ../shared/vectors beside the checkout; COUNT is the least number of cases that must have run. Without
# the folders it says what it skips; with BONUS_REQUIRE_VECTORS (CI) it fails then, as tests/support/vectors.hpp does.
set -u
statetest=$1
count=$2
shift 2
cd "$(dirname "$0")/.." || exit 2
paths=()
if [[ $1 == --reference ]]; then
  paths=("$1")
  shift
fi
for folder in "$@"; do
  path=../shared/vectors/$folder
  if [[ ! -e $path ]]; then
    echo "skipped $count vectors: $path absent"
    if [[ -n ${BONUS_REQUIRE_VECTORS:-} ]]; then
      echo "$path is required" >&2
      exit 1
    fi
    exit 0
  fi
  paths+=("$path")
done
out=$("$statetest" --quiet --reasons "${paths[@]}")
code=$?
echo "$out"
passed=$(sed -n 's/.* tests, \([0-9]*\) cases passed.*/\1/p' <<<"$out")
if [[ ${passed:-0} -lt $count ]]; then
  echo "only ${passed:-0} of $count cases passed" >&2
  exit 1
fi
exit $code
