# Helpers of ./dev: messages, privileges, package lists.
# shellcheck shell=bash

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() { printf 'dev: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"
  elif command -v sudo >/dev/null; then sudo -- "$@"
  else die "root is needed for: $* (install sudo, or run ./dev as root)"; fi
}

# What building and running needs, and with "all" what the tests need too; each line is one Debian 12 package.
packages() {
  local -a lists=(tools/dev/packages.txt)
  [[ $1 != all ]] || lists+=(tools/dev/packages-test.txt)
  sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "${lists[@]}"
}

missing_packages() {
  local name
  while read -r name; do
    # npm and Node.js may come from elsewhere than Debian.
    case $name in
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
  done < <(packages "$1")
}

jobs_for_build() {
  # A C++ compiler takes about 1 GiB for the heaviest files.
  local cores memory_gib
  cores=$(nproc)
  memory_gib=$(awk '/MemAvailable/{print int($2/1048576)}' /proc/meminfo)
  (( memory_gib < 1 )) && memory_gib=1
  echo $(( cores < memory_gib ? cores : memory_gib ))
}
