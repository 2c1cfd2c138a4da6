#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, each for the time given (default 20s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
while IFS= read -r file; do
  pkg=./$(dirname "$file")
  while IFS= read -r target; do
    echo "== $pkg $target"
    go test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
  done < <(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file")
done < <(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz')
