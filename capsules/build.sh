#!/usr/bin/env bash
# Builds the library and the hostile guests for wasm32-wasip2. Safe to repeat: cargo does nothing
# when nothing changed. With a soma binary as argument it packs each library capsule too (manifest
# embedded) into capsules/library/target/packed/NAME.wasm, and lays the catalogue beside that binary
# (../share/soma/capsules, where `soma up --join` looks): the same packages, signed with a key of this build.
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
    if [ -f "${packed%.wasm}.cdx.json" ] && [ "$packed" -nt "$component" ] && [ "$packed" -nt "$manifest" ] && [ "$packed" -nt "$soma" ]; then continue; fi
    (cd "$folder" && "$soma" capsule build --locked --out "$packed")
  done

  share=$(dirname "$(dirname "$soma")")/share/soma/capsules
  home=$(dirname "$share")/builder
  export SOMA_KEY_PASSWORD="signs what this machine built, for this machine"
  if [ ! -f "$home/keys/soma.pub" ]; then
    "$soma" -q --home "$home" key new soma --role publisher >/dev/null
  fi
  mkdir -p "$share/trust/soma"
  cp "$home/keys/soma.pub" "$share/trust/soma/soma.pub"
  for packed in library/target/packed/*.wasm; do
    name=$(basename "$packed" .wasm)
    if cmp -s "$packed" "$share/$name.wasm" && [ -f "$share/$name.sigstore.json" ]; then continue; fi
    cp "$packed" "${packed%.wasm}.cdx.json" "$share/"
    "$soma" -q --home "$home" capsule sign "$share/$name.wasm" --key soma >/dev/null
  done
fi
