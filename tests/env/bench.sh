#!/usr/bin/env bash
# Measures: figures to the screen and to bench/results.json in the target folder. Homes lie in memory where there
# is a tmpfs; what is measured on the disk says so. Usage: bench.sh SOMA [--docs] [GROUP...]
set -euo pipefail
soma=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
capsules/build.sh "$soma"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/soma/tools"
export SOMA_BENCH_WASMTIME="$tools/wasmtime-cli-48.0.8/bin/wasmtime"
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
  TMPDIR=$(mktemp -d /dev/shm/soma-bench-XXXXXX)
  export TMPDIR
  trap 'rm -rf "$TMPDIR"' EXIT
fi

# Each program leaves its rows of this run in parts/ for the report, which the last one makes.
parts="$(dirname "$(dirname "$soma")")/bench/parts"
rm -rf "$parts"
mkdir -p "$parts"
export SOMA_BENCH_PARTS="$parts"

# Figures that need the insides of server and host are ignored tests of theirs.
inside=()
chosen=
for word in "$@"; do
  case "$word" in
    --*) continue ;;
    ledger | search) inside+=("measures::$word") ;;
    server) inside+=(measures::memory) ;;
    feed) inside+=(feed::tests::measures) ;;
  esac
  chosen=1
done
[ -n "$chosen" ] || inside=(measures::)
if [ ${#inside[@]} -gt 0 ]; then
  cargo test --release --workspace --lib -- --ignored --test-threads=1 "${inside[@]}"
fi
cargo bench --workspace --bench decision --bench platform -- "$@"
cargo bench --workspace --bench measures -- "$@"
