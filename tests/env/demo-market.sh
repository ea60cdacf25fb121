# The second half of the demo, sourced by demo.sh: from publish to payout. An author (grace, of the org acme), a tenant
# and an operator (both the owner of the home), each with commands of their own, on one machine.
authenticator=$(dirname "$soma")/soma-test-authenticator
market=$demo/market
mkdir -p "$market/work"
export SOMA_HOME=$market/home
grace() { SOMA_HOME=$market/grace XDG_CONFIG_HOME=$market SOMA_PASSWORD='only for the demo' "$soma" --host "$url" "$@"; }
# Both factors: an authenticator in a file, its first code, and a session for each org that is named.
factors() { # COMMAND FILE LOGIN ORG...
  local who=$1 file=$2 login=$3 org=$4; shift 4
  $who login --add-factor --org "$org" 2>/dev/null >"$file"
  SOMA_TOTP=$("$authenticator" "$file") $who login --confirm-factor --org "$org" >/dev/null
  SOMA_TOTP=$("$authenticator" "$file") $who login --step-up --org "$org" >/dev/null
  for org in "$@"; do SOMA_TOTP=$("$authenticator" "$file") $who login $login --org "$org" >/dev/null; done
}
# Packs the library's stream as acme's own, with other words in its manifest.
pack() { # VERSION SED...
  sed -e 's#"soma/#"acme/#' -e "s#0.1.0#$1#" -e 's#^\[limits\]#[price]\nper_call = "0.01 EUR"\n\n[limits]#' "${@:2}" "$library/stream/capsule.toml" >"$market/work/capsule.toml"
  (cd "$market/work" && grace capsule build --component "$library/target/wasm32-wasip2/release/soma_stream.wasm" --out "$market/stream.wasm" >/dev/null)
  grace capsule sign "$market/stream.wasm" --key acme >/dev/null
}
publish() {
  grace capsule submit "$market/stream.wasm" --tenant acme --output json 2>/dev/null >"$market/submission.json"
  local id; id=$(grep -o '"submission": *"[0-9A-Z]*"' "$market/submission.json" | grep -o '[0-9A-Z]\{26\}')
  until grace review show "$id" --tenant acme >"$market/out" && ! grep -q verifying "$market/out"; do sleep 0.2; done
  cut -c1-150 "$market/out" | sed 's/^/  /'
}

step "8. a marketplace: server, host, review host and gateway in one process"
quiet key new drill --role publisher
printf '[review]\nauto_approve = true\nbelow_thousandths = 350\n[rates]\nlogin = 600\n' >"$SOMA_HOME/server.toml"
"$soma" up --join --no-catalogue --listen 127.0.0.1:0 >"$market/up.log" 2>&1 &
host=$!
pids+=("$host")
await "$market/up.log" ready "$host" | sed 's/^/  /'
url=$(grep -o 'http://[0-9.:]*' "$market/up.log" | tail -1)
owner() { "$soma" "$@"; }
factors owner "$market/owner.totp" "" platform local
code=$("$soma" org new acme --publisher-role --output json 2>/dev/null | grep -o '"code": *"[^"]*"' | cut -d'"' -f4)
SOMA_CODE=$code grace login grace --invited >/dev/null 2>&1
factors grace "$market/grace.totp" grace acme
grace key new acme --role publisher >/dev/null
grace org claim acme --tenant acme >/dev/null
grace org key acme "$market/grace/keys/acme.pub" --tenant acme >/dev/null
echo '  everybody has proven two factors; grace of acme has claimed her name'

step "9. grace publishes 1.0.0: watched among fake peers, scored, approved by the operator's rule"
pack 1.0.0
publish

step "10. a tenant installs it with a budget, and calls it"
lines=1 show account enter local top-up "25.00 EUR" --reason "invoice 7" --yes
lines=4 show install acme/stream --budget "1.00 EUR/day"
lines=3 show call stream count -a to:=3 -a every-ms:=1 --stream --raw

step "11. 1.1.0 asks for more; the tenant sees what, accepts; it fails at its gate and is backed out"
pack 1.1.0 -e 's/events = 100000/events = 200000/' -e 's/wall = "60 s"/wall = "1 ms"/'
publish
lines=6 show upgrade stream --widen --dry-run
lines=1 quiet upgrade stream --widen --accept --gate canary --canary-share 500 --canary-calls 2
failed=0
until "$soma" list | grep -q ' active '; do "$soma" call stream count -a to:=2 -a every-ms:=20 >/dev/null 2>&1 || failed=$((failed + 1)); done
echo "  $failed calls of the canary failed"
lines=3 show list

step "12. an operator kills it in flight"
"$soma" call stream count -a every-ms:=50 --stream --raw >"$market/stream.out" 2>"$market/stream.err" &
call=$!
await "$market/stream.out" 3 "$call" >/dev/null
lines=4 show kill capsule:acme/stream --dry-run
(cd "$market" && lines=1 show kill capsule:acme/stream --reason drill --yes)
wait "$call" && code=0 || code=$?
printf '  the stream ended after "%s" with exit %s: %s\n' "$(tail -1 "$market/stream.out")" "$code" "$(tail -1 "$market/stream.err" | cut -c1-120)"

step "13. the ledger adds up"
until "$soma" ledger | grep -q author-share; do sleep 0.2; done
cause=$("$soma" ledger | grep -o 'receipt:[0-9A-Z]*:[0-9]*' | head -1)
lines=5 show ledger
lines=1 quiet account refund "$cause" "0.01 EUR" --reason "wrong answer" --yes
lines=4 show account list
printf 'grace: '; grace account earnings --tenant acme | sed 's/^/  /'
lines=2 show account check
lines=2 show audit verify --server
kill "$host" && wait "$host" 2>/dev/null || true
