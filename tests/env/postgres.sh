#!/usr/bin/env bash
# A PostgreSQL of one's own: in a temporary folder, on a free port of 127.0.0.1, never as root.
# Prints `ready postgres://…` once it answers and stops by its own process id when standard input ends,
# so that it goes with whoever started it. What is missing is `missing: …` and exit 3.
# Usage: postgres.sh [-c name=value]…   (settings of the server; it is durable unless told otherwise)
set -euo pipefail
version=15
bin=${SOMA_POSTGRES_BIN:-/usr/lib/postgresql/$version/bin}
[ -x "$bin/postgres" ] || { echo "missing: PostgreSQL $version ($bin/postgres); tests/env/install.sh test"; exit 3; }
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

data=$(as_server mktemp -d /tmp/soma-postgres.XXXXXX)
password=$(head -c 18 /dev/urandom | base64 | tr '+/' 'ab')
server=
stop() {
  if [ -n "$server" ]; then
    # The first line of postmaster.pid is the server's own process id; INT is its fast end.
    kill -INT "$(head -1 "$data/db/postmaster.pid" 2>/dev/null)" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$data"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

# A linguistic default collation, so that a missing COLLATE "C" shows.
printf '%s\n' "$password" | as_server tee "$data/password" >/dev/null
as_server "$bin/initdb" -D "$data/db" -U postgres --pwfile="$data/password" --auth=scram-sha-256 \
  --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US --no-sync >"$data/initdb.log" 2>&1 ||
  { cat "$data/initdb.log" >&2; exit 1; }
rm "$data/password"

for _ in 1 2 3 4 5; do
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  as_server "$bin/postgres" -D "$data/db" -h 127.0.0.1 -p "$port" -k "$data" \
    -c max_connections=200 -c log_min_messages=error "$@" </dev/null >"$data/server.log" 2>&1 &
  server=$!
  # The port was free a moment ago; if somebody else has it now, the server ends and another is tried.
  while kill -0 "$server" 2>/dev/null; do
    if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; then
      echo "ready postgres://postgres:$password@127.0.0.1:$port"
      cat >/dev/null
      exit 0
    fi
    sleep 0.05
  done
  server=
done
cat "$data/server.log" >&2
exit 1
