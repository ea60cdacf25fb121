#!/usr/bin/env bash
# Installs what a make target needs, by the ordinary package clients, and says so.
# Usage: install.sh build|test|contract|lint|bench|coverage. Safe to repeat; what is there is left alone.
# Tools go to one cache folder outside the checkout, by name and version.
set -euo pipefail
tools="${XDG_CACHE_HOME:-$HOME/.cache}/soma/tools"
mkdir -p "$tools"
say() { printf 'setup: %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

wasm_target() {
  rustup target list --installed | grep -qx wasm32-wasip2 && return
  say "adding the Rust target wasm32-wasip2"
  rustup target add wasm32-wasip2
}

component() { # rustup component
  rustup component list --installed | grep -q "^$1" && return
  say "adding the Rust component $1"
  rustup component add "$1"
}

debian() { # program package
  command -v "$1" >/dev/null && return
  say "installing the Debian package $2"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null || {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
  }
}

crate() { # name version
  local root="$tools/$1-$2"
  [ -x "$root/bin/${3:-$1}" ] && return
  say "building $1 $2 (some minutes, once)"
  CARGO_TARGET_DIR="$tools/build" cargo install "$1" --version "=$2" --locked --root "$root" --quiet
}

# A Python program with exactly the packages of a list, in a folder of its own that is named by the list.
python() { # name version list
  local root
  root="$tools/$1-$2-$(cksum <"$3" | cut -d' ' -f1)"
  [ -e "$root/complete" ] && return
  say "installing $1 $2"
  rm -rf "$root"
  python3 -m venv "$root" || {
    echo "install.sh: python3 cannot make a virtual environment here; it takes Python 3.10 or newer with its module venv (Debian: apt-get install python3-venv)" >&2
    exit 1
  }
  "$root/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$3"
  touch "$root/complete"
}

case "${1:-build}" in
  build) wasm_target ;;
  test)
    debian skopeo skopeo
    debian pg_lsclusters postgresql
    ;;
  contract)
    debian pg_lsclusters postgresql
    python schemathesis 4.32.5 "$(dirname "$0")/contract/requirements.txt"
    ;;
  lint)
    component clippy
    component rustfmt
    crate cargo-deny 0.20.2
    crate cargo-audit 0.22.2
    ;;
  bench)
    debian wrk wrk
    debian pg_lsclusters postgresql
    crate wasmtime-cli 48.0.8 wasmtime
    ;;
  coverage)
    component llvm-tools
    crate cargo-llvm-cov 0.9.1
    ;;
  *) echo "install.sh: unknown set '$1': build, test, contract, lint, bench or coverage" >&2; exit 2 ;;
esac
