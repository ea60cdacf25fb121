#!/usr/bin/env bash
# Line coverage of the rooms that must not be trusted on their word.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="${XDG_CACHE_HOME:-$HOME/.cache}/soma/tools/cargo-llvm-cov-0.9.1/bin:$PATH"
mkdir -p target/reports
cargo llvm-cov --workspace --no-report --no-fail-fast
cargo llvm-cov report --json --summary-only --output-path target/reports/coverage.json
python3 - <<'PY'
import json
files = json.load(open("target/reports/coverage.json"))["data"][0]["files"]
rooms = {"soma-policy": "/policy/src/", "soma-capsule": "/capsules/package/src/", "soma-host": "/host/runtime/src/", "soma-market": "/marketplace/core/src/", "soma-server": "/marketplace/server/src/"}
low = []
for room, part in rooms.items():
    lines = [f["summary"]["lines"] for f in files if part in f["filename"]]
    total, hit = sum(l["count"] for l in lines), sum(l["covered"] for l in lines)
    percent = 100 * hit / max(total, 1)
    print(f"{room:14} {hit:6}/{total:<6} lines  {percent:5.1f} %")
    if percent < 85:
        low.append(room)
raise SystemExit(f"below 85 %: {', '.join(low)}" if low else 0)
PY
