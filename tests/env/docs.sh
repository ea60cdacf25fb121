#!/usr/bin/env bash
# Every relative link of the book leads somewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
broken=0
while IFS=: read -r file link; do
  target=${link%%#*}
  [ -z "$target" ] && continue
  [ -e "$(dirname "$file")/$target" ] || { echo "docs: $file links to $target, which is not there"; broken=1; }
done < <(git ls-files '*.md' | xargs grep -oHE '\]\((\.{0,2}/?[A-Za-z0-9_@./-]+(#[A-Za-z0-9_-]+)?)\)' | sed -E 's/\]\((.*)\)$/\1/' | grep -v '://')
exit $broken
