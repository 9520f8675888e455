#!/usr/bin/env bash
# Installs what is missing of the package lists named: setup/install.sh runtime [train] [test] [dev]. Called by ./dev, which may
# be run by root or by a user with sudo. Does nothing, quickly, when all is there. SMELT_SKIP_INSTALL=1 skips it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

wanted=()
for purpose in "${@:-runtime}"; do
  [ -f "packages-$purpose.txt" ] || fail "no list setup/packages-$purpose.txt; lists: $(ls packages-*.txt | tr '\n' ' ')"
  while read -r package _reason; do
    case "$package" in '' | '#'*) ;; *) wanted+=("$package") ;; esac
  done <"packages-$purpose.txt"
done
[ "${SMELT_SKIP_INSTALL:-0}" != 1 ] || exit 0

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "this script knows only Debian and Ubuntu (apt). Install what stands for these packages here, then run again" \
    "with SMELT_SKIP_INSTALL=1: ${wanted[*]}"
fi

is_installed() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]; }
missing=()
for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "missing packages, and no sudo here; as root: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
printf 'setup: installing %s\n' "${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
# The package index may be old or absent on a fresh machine; a failing mirror of another list must not stop the install.
"${apt[@]}" update -qq >&2 || printf 'setup: apt-get update failed; going on with the index at hand\n' >&2
"${apt[@]}" install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
  fail "apt-get could not install ${missing[*]}; its message is above (Debian 12 and Ubuntu 24.04 have them all)"
