#!/usr/bin/env bash
# Runs bonus-sim as the tests labelled `sim` do: bonus_sim_check.sh BONUS-SIM runs|mutations|dht
# BONUS_SIM_RUNS sets the number of seeds of the first kind (8000; slower builds want fewer).
set -u
sim=$1
case $2 in
  runs)
    "$sim" consensus --nodes 4 --byzantine 1 --runs "${BONUS_SIM_RUNS:-8000}" --seed 5000 &&
      "$sim" consensus --nodes 7 --byzantine 2 --runs "$((${BONUS_SIM_RUNS:-8000} / 10))" --seed 5000
    ;;
  mutations)
    # Every rule that is broken on purpose must lead to a fork, or the simulator proves nothing about the rules.
    for mutation in nolock amnesia nojustification commit-after-roundchange small-quorum; do
      out=$("$sim" consensus --nodes 4 --byzantine 1 --runs 4000 --seed 1 --mutate "$mutation" --json)
      code=$?
      echo "$out"
      if [ $code -ne 1 ] || ! grep -q '"agreed":false' <<<"$out"; then
        echo "mutation $mutation did not fork (exit code $code)" >&2
        exit 1
      fi
    done
    ;;
  dht)
    # The bars of the DHT in shortened form: success, churn of 30-minute sessions, Sybils in few prefixes.
    # BONUS_SIM_NODES sets the size (1500; slower builds want fewer).
    nodes=${BONUS_SIM_NODES:-1500}
    "$sim" dht --nodes "$nodes" --lookups 2000 --rounds 2 --seed 7 --require-success 0.999 &&
      "$sim" dht --nodes "$((nodes / 4))" --churn --lookups 1500 --rounds 0 --seed 7 --require-success 0.99 &&
      "$sim" dht --nodes "$nodes" --sybils 48 --prefixes 4 --targets 20 --lookups 400 --rounds 0 --seed 7 --require-success 1 &&
      "$sim" dht --nodes "$nodes" --sybils 48 --prefixes 4 --targets 20 --lookups 400 --rounds 0 --seed 7 --values \
        --require-success 1 || exit 1
    # And without the rules the attack must work, or it proves nothing about them.
    if "$sim" dht --nodes "$nodes" --sybils 48 --prefixes 4 --targets 20 --lookups 400 --seed 7 --values --no-caps \
      --policy random --require-success 0.9; then
      echo "the attack without caps failed: the simulation does not attack" >&2
      exit 1
    fi
    ;;
  *)
    echo "usage: $0 BONUS-SIM runs|mutations|dht" >&2
    exit 2
    ;;
esac
