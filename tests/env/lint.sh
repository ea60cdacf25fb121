#!/usr/bin/env bash
# The checks that are not the compiler's: bans, licences, sources, advisories, and our own words.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="${XDG_CACHE_HOME:-$HOME/.cache}/soma/tools"

"$tools/cargo-deny-0.20.2/bin/cargo-deny" --log-level warn check bans licenses sources

audit="$tools/cargo-audit-0.22.2/bin/cargo-audit"
if [ -n "${SOMA_ADVISORY_DB:-}" ]; then
  # cargo-audit opens a git repository only: make one of the folder, outside both checkouts.
  db="$tools/advisory-db"
  rm -rf "$db" && mkdir -p "$db" && cp -r "$SOMA_ADVISORY_DB/." "$db/"
  git -C "$db" init -q
  git -C "$db" add -A
  git -C "$db" -c user.name=soma -c user.email=soma@localhost commit -qm "advisories"
  "$audit" audit --db "$db" --no-fetch --stale
else
  "$audit" audit
fi

# One room links imports, one builds the engine's configuration, one may use unsafe. The benches' floor is wasmtime
# as it comes, so they are left out.
only_in() { # pattern file
  local elsewhere
  elsewhere=$(git grep -nE "$1" -- 'host/**/*.rs' ':!host/**/tests/**' ':!host/**/benches/**' | grep -vE "^$2:" | grep -vE '^[^:]+:[0-9]+:\s*//' || true)
  [ -z "$elsewhere" ] || { echo "lint: '$1' belongs in $2 only:"; echo "$elsewhere"; exit 1; }
}
only_in '::add_to_linker' host/runtime/src/linker.rs
only_in 'wasmtime::Config|Config::new\(\)' host/runtime/src/engine.rs
only_in 'unsafe \{' host/runtime/src/cache.rs
# The control plane never links the engine; only its store holds SQL, only its configuration reads the environment.
if cargo tree -p soma-server -e normal,build --prefix none | grep -qE '^(wasmtime|soma-host|soma-wit) '; then
  echo "lint: soma-server links the engine"; exit 1
fi
server_only_in() { # pattern files
  local elsewhere
  elsewhere=$(git grep -nE "$1" -- 'marketplace/server/src/*.rs' 'marketplace/server/src/**/*.rs' | grep -vE "^marketplace/server/src/($2)" || true)
  [ -z "$elsewhere" ] || { echo "lint: '$1' belongs in $2 only:"; echo "$elsewhere"; exit 1; }
}
server_only_in 'sqlx::' 'store|fixture\.rs|continuity/tests'
# A move of the database names tables out of the retention list and columns out of the schema itself; many rows at once
# name both by static text.
server_only_in 'AssertSqlSafe' 'store/tests|store/transfer|store/many|fixture\.rs'
server_only_in 'std::env::' 'config|fixture\.rs|edge/tests'
# What ends a process at a named point is in debug builds alone (docs/decisions/0015-crash-points.md).
crash=$(git grep -nE 'SOMA_CRASH_AT|crash::(arm|reached)' -- '*.rs' '*.sh' '*.toml' Makefile | grep -vE '^(capsules/package/src/crash|host/cli/src/(crash|main)|tests/(src/binary|tests/all/crash/points))\.rs:|^tests/env/lint\.sh:' || true)
[ -z "$crash" ] || { echo "lint: crash points are armed in one place only:"; echo "$crash"; exit 1; }
for guarded in 'mod crash;' 'crash::arm();'; do
  grep -FB1 "$guarded" host/cli/src/main.rs | grep -qF '#[cfg(debug_assertions)]' || { echo "lint: '$guarded' is in release builds"; exit 1; }
done
# The pure room never does I/O.
for pure in std::fs TcpStream TcpListener UdpSocket ToSocketAddrs SystemTime std::time::Instant tokio:: getrandom; do
  if git grep -n "$pure" -- 'policy/src/*.rs' 'policy/src/**/*.rs' 'marketplace/core/src/*.rs' 'marketplace/core/src/**/*.rs' | grep -v '//' | grep -q .; then
    echo "lint: soma-policy and soma-market do no I/O, but use $pure"; exit 1
  fi
done
