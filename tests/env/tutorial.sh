#!/usr/bin/env bash
# Runs the command blocks of the tutorial, from top to bottom, in an empty folder.
# Usage: tutorial.sh SOMA_BINARY. Blocks marked `sh background` run until the end.
set -euo pipefail
page="$(cd "$(dirname "$0")/../.." && pwd)/docs/tutorials/first-capsule.md"
bin=$(cd "$(dirname "$1")" && pwd)
work=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2>/dev/null; rm -rf "$work"' EXIT
export PATH="$bin:$PATH" CARGO_TARGET_DIR="$work/target"
python3 - "$page" >"$work/steps.sh" <<'PY'
import re, sys
page = open(sys.argv[1]).read()
print("set -euo pipefail")
print("trap 'jobs -p | xargs -r kill 2>/dev/null; wait' EXIT")
for kind, block in re.findall(r"```sh( background)?\n(.*?)```", page, re.S):
    for line in block.strip().splitlines():
        print(f"echo '$ {line}' >&2" if "'" not in line else "true")
        if kind:
            print(f"{line} >up.log 2>&1 &")
            print("host=$!")
            print("until grep -q '^ready' up.log; do kill -0 $host || { cat up.log; exit 1; }; sleep 0.1; done")
        else:
            print(line)
PY
cd "$work"
# The project builds outside of this checkout, as an author's would.
unset CARGO_TARGET_DIR
bash steps.sh
echo "tutorial: every command of docs/tutorials/first-capsule.md ran"
