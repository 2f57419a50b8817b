# The commands of ./dev.
# shellcheck shell=bash

usage() {
  cat <<'TEXT'
usage: ./dev COMMAND

  up            set up, build and run the demonstration: four nodes, a rented container, money that flows
  test          set up, build and run every test layer (fast, e2e, sim)
  down          stop the demonstration's nodes and containers

  setup [run]   install the Debian packages that are missing (idempotent); "run" leaves out those of the tests
  build [P [T]] build a preset: release (default), dev, asan-ubsan, tsan, fuzz, or only its targets T; binaries land in build/P/bin
  check         format, repository linter, fast tests: run it before each commit
  sim [ARGS]    long seeded simulations of the consensus (arguments go to bonus-sim consensus)
  fuzz [T [S]]  fuzz target T (default: all, 30 s each) for S seconds
  bench [NAME]  run the benchmarks of bench/ and print what they measured
  clean         remove build/ and the demonstration's data
TEXT
}

cmd_setup() {
  [[ -r /etc/debian_version ]] || die "this project is built on Debian 12; install the packages of tools/dev/packages.txt by hand"
  local -a missing
  mapfile -t missing < <(missing_packages "${1:-all}")
  if (( ${#missing[@]} == 0 )); then
    note "all Debian packages are installed"
    return
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >setup.log 2>&1 ||
    { tail -20 setup.log >&2; die "apt-get failed; the whole output is in setup.log"; }
  rm -f setup.log
}

cmd_build() {
  local preset=${1:-release}
  [[ " release dev asan-ubsan tsan fuzz " == *" $preset "* ]] || die "no preset \"$preset\"; one of release, dev, asan-ubsan, tsan, fuzz"
  (( $# == 0 )) || shift
  say "building ($preset, $(jobs_for_build) jobs)"
  local start=$SECONDS
  cmake --preset "$preset" -Wno-dev >configure.log 2>&1 || { tail -30 configure.log >&2; die "configuration failed (see above)"; }
  rm -f configure.log
  cmake --build "build/$preset" -j "$(jobs_for_build)" ${1:+--target "$@"}
  note "built in $((SECONDS - start)) s: build/$preset/bin"
}

cmd_check() {
  cmd_build release
  tools/tidy --check-format
  ctest --test-dir build/release -L fast --output-on-failure
}

cmd_test() {
  cmd_setup
  cmd_build release
  say "repository linter"
  tools/tidy --check-format
  say "JavaScript clients and solc, from their lock files"
  tools/dev/npm_ci contracts
  tools/dev/npm_ci tests/e2e
  say "tests: fast, npm, sim, e2e"
  ctest --test-dir build/release -j 1 --output-on-failure --no-tests=error
}

cmd_up() {
  cmd_setup run
  cmd_build release bonus bonusd bonus-shim
  tools/demo/run
}

cmd_down() {
  local bonus=build/release/bin/bonus
  [[ -x $bonus ]] || die "nothing is built, so nothing runs from here"
  # The nodes of the demonstration run as root, because workers start containers.
  as_root "$bonus" devnet down --dir "$(demo_dir)"
}

cmd_sim() {
  cmd_build release
  (( $# )) || set -- --nodes 4 --byzantine 1 --runs 20000 --seed 1
  build/release/bin/bonus-sim consensus "$@"
}

cmd_fuzz() {
  local target=${1:-} seconds=${2:-30}
  local -a targets
  mapfile -t targets < <(ls fuzz/corpora)
  if [[ -n $target ]]; then
    [[ -d fuzz/corpora/$target ]] || die "no fuzz target \"$target\"; there are: ${targets[*]}"
    targets=("$target")
  fi
  cmd_build fuzz "${targets[@]}"
  for target in "${targets[@]}"; do
    say "fuzzing $target for $seconds s"
    mkdir -p "build/fuzz/found/$target"
    "build/fuzz/bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/found/$target/" "build/fuzz/found/$target" "fuzz/corpora/$target" 2>&1 | tail -4
  done
}

cmd_bench() {
  cmd_build release
  if (( $# )); then "bench/$1" "${@:2}"; return; fi
  local script
  for script in bench/*; do [[ -f $script && -x $script ]] && "$script"; done
}

cmd_clean() {
  local bonus=build/release/bin/bonus
  [[ -x $bonus && -d $(demo_dir) ]] && as_root "$bonus" devnet down --dir "$(demo_dir)" || true
  rm -rf build
  [[ ! -e $(demo_dir) ]] || as_root rm -rf --one-file-system "$(demo_dir)"
}

demo_dir() { echo "${BONUS_DEMO_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/bonuscloud/demo}"; }

main() {
  local command=${1:-help}
  (( $# )) && shift
  case $command in
    setup | build | check | test | up | down | sim | fuzz | bench | clean) "cmd_$command" "$@" ;;
    help | -h | --help) usage ;;
    *) usage >&2; die "no command \"$command\"" ;;
  esac
}
