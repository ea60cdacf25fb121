#!/usr/bin/env bash
# Builds the library and the hostile guests for wasm32-wasip2. Safe to repeat: cargo does nothing
# when nothing changed. With a soma binary as argument it packs each library capsule too (manifest
# embedded) into capsules/library/target/packed/NAME.wasm.
# Usage: capsules/build.sh [SOMA]
set -euo pipefail
soma="${1:-}"
[ -z "$soma" ] || soma=$(realpath "$soma")
cd "$(dirname "$0")"
# Guests have target folders of their own: another target, another profile, another lock.
unset CARGO_TARGET_DIR
for workspace in library hostile; do
  printf 'guests: building capsules/%s\n' "$workspace"
  cargo build --quiet --locked --release --target wasm32-wasip2 --manifest-path "$workspace/Cargo.toml"
done
if [ -n "$soma" ]; then
  mkdir -p library/target/packed
  for manifest in library/*/capsule.toml; do
    folder=$(dirname "$manifest")
    name=$(basename "$folder")
    component="$PWD/library/target/wasm32-wasip2/release/soma_${name//-/_}.wasm"
    packed="$PWD/library/target/packed/$name.wasm"
    if [ "$packed" -nt "$component" ] && [ "$packed" -nt "$manifest" ] && [ "$packed" -nt "$soma" ]; then continue; fi
    (cd "$folder" && "$soma" capsule build --component "$component" --out "$packed")
  done
fi
