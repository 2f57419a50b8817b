#!/usr/bin/env bash
# Runs bonus-sim as the tests labelled `sim` do: bonus_sim_check.sh BONUS-SIM runs|mutations
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
  *)
    echo "usage: $0 BONUS-SIM runs|mutations" >&2
    exit 2
    ;;
esac
