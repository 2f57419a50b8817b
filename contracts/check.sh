#!/bin/sh
# Installs the pinned solc if it is not there yet (or another version is) and compares the interfaces and storage listings with the node's tables.
# Usage: check.sh PATH/TO/bonus-abi
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")"
../tools/dev/npm_ci .
exec node check_abi.mjs "$program"
