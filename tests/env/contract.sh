#!/usr/bin/env bash
# The server's interface against its description: Schemathesis sends what docs/reference/server.openapi.json allows, and
# what it forbids, to real servers on SQLite and on PostgreSQL, as an operator, an owner and a developer, and on the routes of
# hosts as hosts whose proofs count. No answer may be a 5xx, or one that the description does not know.
# What is checked, and what is not, is in contract/schemathesis.toml. Usage: contract.sh SOMA (the binary)
set -euo pipefail
soma=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
description=$here/../../docs/reference/server.openapi.json
"$here/install.sh" contract
tools="${XDG_CACHE_HOME:-$HOME/.cache}/soma/tools"
bin=$(echo "$tools"/schemathesis-*-"$(cksum <"$here/contract/requirements.txt" | cut -d' ' -f1)"/bin)
work=$(mktemp -d)
# The fuzzer keeps notes where it is started.
cd "$work"
unset SOMA_HOME SOMA_HOST SOMA_TOKEN SOMA_DATABASE_URL SOMA_DATABASE_WORKER_URL SOMA_DATABASE_OWNER_URL

# What would end the fuzzer's own rights, or everybody's, comes last.
ends='^((put|delete)_auth_totp|(patch|delete)_users_user|post_users_user_resets|post_revocations|(post|delete)_issuer_keys.*|delete_hosts_host|(patch|delete)_orgs_org_members_user|patch_orgs_org)$'
# Five wrong proofs end a session, too.
leaves='^(post_auth_(logout|step_up|totp)|put_auth_password)$'

# Waits for a word in what a process writes to a file; prints the word behind it.
await() { # file, words, process
  until grep -qm1 "$2" "$1" 2>/dev/null; do
    kill -0 "$3" 2>/dev/null || { cat "$1" >&2; return 1; }
    sleep 0.05
  done
  sed -n "s/.*$2 *\([^ ]*\).*/\1/p;" "$1" | head -1
}

# A PostgreSQL of this run's own, and the server's logins on it.
postgresql() {
  mkfifo "$home/stop"
  "$here/postgres.sh" -c fsync=off <"$home/stop" >"$home/database" &
  database=$!
  exec 8>"$home/stop"
  local base place
  base=$(await "$home/database" ready "$database")
  place=${base#*@}
  "${SOMA_POSTGRES_BIN:-/usr/lib/postgresql/15/bin}/psql" -qX -v ON_ERROR_STOP=1 "$base/postgres" <<'SQL'
CREATE DATABASE soma;
CREATE ROLE soma_app NOLOGIN;
CREATE ROLE soma_worker NOLOGIN;
CREATE ROLE app LOGIN PASSWORD 'tests-only' IN ROLE soma_app;
CREATE ROLE worker LOGIN PASSWORD 'tests-only' IN ROLE soma_worker;
SQL
  export SOMA_DATABASE_OWNER_URL=$base/soma
  export SOMA_DATABASE_URL=postgres://app:tests-only@$place/soma SOMA_DATABASE_WORKER_URL=postgres://worker:tests-only@$place/soma
}

# A fresh server with everybody in it.
start() {
  # Rates are tested elsewhere; a fuzzer that only meets 429 finds nothing.
  printf '[rates]\npeer = 1000000\norg = 1000000\nuser = 1000000\nlogin = 1000000\n' >"$home/server.toml"
  "$soma" --home "$home" serve --role server --listen 127.0.0.1:0 >"$home/said" 2>"$home/told" &
  server=$!
  url=$(await "$home/said" ready "$server")
  export SOMA_CONTRACT_WHO=$home/who.json
  "$bin/python" "$here/contract/found.py" "$url" "$(await "$home/told" 'founding code' "$server")" "$SOMA_CONTRACT_WHO"
}

token() { "$bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["tokens"][sys.argv[2]])' "$SOMA_CONTRACT_WHO" "$1"; }

fuzz() { # who, what, arguments of the fuzzer
  local who=$1 what=$2 began=$SECONDS
  shift 2
  SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$here/contract "$bin/schemathesis" --config-file "$here/contract/schemathesis.toml" \
    run "$description" --url "$url" --header "Authorization: Bearer $(token "$who")" --request-timeout 10 "$@" >"$home/report" 2>&1 || {
    cat "$home/report" "$home/told"
    echo "contract: $what by the $who does not hold on $kind"
    return 1
  }
  echo "contract: $kind, $what by the $who: $(grep -m1 ' generated,' "$home/report" | xargs), $((SECONDS - began)) s"
}

# A run whose token stopped counting in its middle has shown nothing.
still() { # who
  curl -fsS -o /dev/null -H "Authorization: Bearer $(token "$1")" "$url/v1/auth/whoami" && return
  echo "contract: the $1's token ended during the run; what ended it belongs to what comes last"
  return 1
}

on() { # database
  kind=$1 home=$work/$1
  mkdir -m 700 "$home"
  trap 'kill "${server:-}" 2>/dev/null; wait "${server:-}" 2>/dev/null; exec 8>&-; wait' EXIT
  [ "$kind" = sqlite ] || postgresql
  start
  if [ "$kind" = sqlite ]; then
    fuzz operator everything --phases examples,coverage,stateful --max-examples 6 --exclude-operation-id-regex "$ends|$leaves"
    still operator
    fuzz developer everything --phases fuzzing --max-examples 3 --exclude-operation-id-regex "$ends|$leaves"
    still developer
  else
    fuzz owner everything --phases examples,coverage --exclude-operation-id-regex "$ends|$leaves"
    still owner
    fuzz operator everything --phases fuzzing --max-examples 6 --exclude-operation-id-regex "$ends|$leaves"
    still operator
  fi
  fuzz operator "what ends" --phases coverage,fuzzing --max-examples 5 --include-operation-id-regex "$ends"
  fuzz developer leaving --phases coverage,fuzzing --max-examples 3 --include-operation-id-regex "$leaves"
  kill -0 "$server"
}

trap 'cd / && rm -rf "$work"' EXIT
(on sqlite) &
sqlite=$!
(on postgresql) &
failed=0
wait $! || failed=1
wait "$sqlite" || failed=1
exit "$failed"
