#!/usr/bin/env bash
# Runs what the authors of the library wrote to test it: their unit tests, natively, and each capsule's
# tests/*.toml on the component that capsules/build.sh built.
# Usage: capsules/test.sh SOMA
set -euo pipefail
soma=$(realpath "$1")
cd "$(dirname "$0")"
unset CARGO_TARGET_DIR
printf 'guests: unit tests of capsules/library\n'
# The unit tests alone: the component itself is a wasm32 library whose exports no native linker takes.
cargo test --quiet --locked --lib --manifest-path library/Cargo.toml
for tests in library/*/tests; do
  folder=$(dirname "$tests")
  name=$(basename "$folder")
  printf 'guests: soma capsule test %s\n' "$name"
  "$soma" capsule test --dir "$folder" --component "$PWD/library/target/wasm32-wasip2/release/soma_${name//-/_}.wasm"
done
