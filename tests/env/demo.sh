#!/usr/bin/env bash
# The whole of Soma on one screen: sign, run, deny, cut, kill, audit. Real servers, free ports, a home
# of its own under target/demo. Usage: demo.sh SOMA (the release binary; soma-test-servers lies beside it)
set -euo pipefail
soma=$(realpath "$1")
servers=$(dirname "$soma")/soma-test-servers
root=$(cd "$(dirname "$0")/../.." && pwd)
demo=$(dirname "$(dirname "$soma")")/demo
library=$root/capsules/library
rm -rf "$demo" && mkdir -p "$demo"
export SOMA_HOME=$demo/home SOMA_KEY_PASSWORD=demo-only NO_COLOR=1
unset SOMA_HOST SOMA_TOKEN
pids=()
cleanup() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; }
trap cleanup EXIT

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
# Shows a command, runs it, keeps the first lines and any exit code.
show() { printf '$ soma %s\n' "$*" | cut -c1-150; local code=0; "$soma" "$@" >"$demo/out" 2>&1 || code=$?; cut -c1-170 "$demo/out" | head -"${lines:-3}" | sed 's/^/  /'; [ $code = 0 ] || printf '  (exit %s)\n' "$code"; }
# Waits for a line that begins so in a file that a process is writing.
await() { until grep -m1 "^$2" "$1" 2>/dev/null; do kill -0 "$3" 2>/dev/null || { cat "$1"; exit 1; }; sleep 0.05; done; }
quiet() { "$soma" "$@" >"$demo/out" 2>&1 || { echo "soma $* failed:"; cat "$demo/out"; exit 1; }; }

step "1. build, sign, install"
"$root/capsules/build.sh" "$soma" >"$demo/build.log" 2>&1 || { cat "$demo/build.log"; exit 1; }
for publisher in soma mallory; do
  quiet key new "$publisher" --role publisher
  quiet trust add "$publisher" "$SOMA_HOME/keys/$publisher.pub"
done
cp "$library"/target/packed/*.wasm "$demo"
(cd "$root/capsules/hostile/guest" && quiet capsule build --component ../target/wasm32-wasip2/release/hostile_guest.wasm --out "$demo/mallory.wasm")
lines=1 show capsule sign "$demo/csv.wasm" --key soma
for name in github stream; do quiet capsule sign "$demo/$name.wasm" --key soma; done
quiet capsule sign "$demo/mallory.wasm" --key mallory
printf 'github_pat_11AAAAAAA0soma0tests0only0000' | "$soma" secret set github-token >/dev/null 2>&1
lines=1 show install "$demo/csv.wasm" --as csv
quiet install "$demo/github.wasm" --as issues --secret token=github-token
quiet install "$demo/stream.wasm" --as stream
quiet install "$demo/mallory.wasm" --as mallory --without tool.other

step "2. start"
mkfifo "$demo/stop"
"$servers" "$SOMA_HOME/policy" <"$demo/stop" >"$demo/servers.log" 2>&1 &
pids+=($!)
exec 9>"$demo/stop"
await "$demo/servers.log" ready "$!" | sed 's/^/  /'
"$soma" up --listen 127.0.0.1:0 >"$demo/up.log" 2>&1 &
host=$!
pids+=($host)
await "$demo/up.log" ready "$host" | sed 's/^/  /'

step "3. a transform on NASA's table of planets, and GitHub through the operator's peer"
lines=6 show call csv aggregate -a "text=@$library/csv/data/planets.csv" -a 'by:=["kind"]' -a 'measures:=[{"column":"moons","operation":"sum"}]' --raw
lines=2 show call issues list-issues -a repo=octocat/Hello-World -a limit:=1

step "4. a host that nobody declared"
lines=3 show call mallory run -a attack=net.fetch -a 'argument=GET https://elsewhere.test/'

step "5. an endless loop"
lines=2 show call mallory run -a attack=cpu.loop -a argument=

step "6. killed in flight"
"$soma" call stream count -a every-ms:=50 --stream --raw >"$demo/stream.out" 2>"$demo/stream.err" &
call=$!
await "$demo/stream.out" 3 "$call" >/dev/null
(cd "$demo" && lines=2 show kill capsule:soma/stream --reason drill --yes)
wait "$call" && code=0 || code=$?
printf '  the stream ended after "%s" with exit %s: %s\n' "$(tail -1 "$demo/stream.out")" "$code" "$(tail -1 "$demo/stream.err" | cut -c1-120)"
receipt=$(find "$demo" -maxdepth 1 -name 'kill-*.json' | head -1)
if [ -n "$receipt" ]; then printf '  receipt '; head -c 240 "$receipt" | tr -d '\n'; printf ' …\n'; fi

step "7. the record"
kill "$host" && wait "$host" 2>/dev/null || true
lines=2 show audit verify

source "$root/tests/env/demo-market.sh"
