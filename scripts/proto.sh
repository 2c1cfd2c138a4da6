#!/usr/bin/env bash
# Generates the Go code of proto/, and through openapi.sh the REST reference, without a remote schema registry: third-party
# schemas come from the module cache.
# With --check it fails if what is checked in differs from what is generated.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh proto

rm -rf build/proto
third=build/proto/third_party
mkdir -p "$third" build/proto/go
# A module of its own, so that ./... leaves alone what is copied and generated here.
echo "module build" >build/proto/go.mod
module_dir() {
  go mod download "$1"
  go list -m -f '{{.Dir}}' "$1"
}
sdk=$(module_dir github.com/cosmos/cosmos-sdk)
gogo=$(module_dir github.com/cosmos/gogoproto)
cosmos_proto=$(module_dir github.com/cosmos/cosmos-proto)
gateway=$(module_dir github.com/grpc-ecosystem/grpc-gateway)
cp -r "$sdk/proto/amino" "$sdk/proto/cosmos" "$third/"
cp -r "$(module_dir github.com/cometbft/cometbft)/proto/tendermint" "$third/"
mkdir -p "$third/gogoproto" "$third/cosmos_proto" "$third/google/api"
cp "$gogo/gogoproto/gogo.proto" "$third/gogoproto/"
cp "$cosmos_proto/proto/cosmos_proto/cosmos.proto" "$third/cosmos_proto/"
for f in annotations http httpbody; do
  cp "$gateway/third_party/googleapis/google/api/$f.proto" "$third/google/api/"
done
chmod -R u+w "$third"

build/tools/buf lint proto
build/tools/buf generate --template proto/buf.gen.gogo.yaml

generated=build/proto/go/github.com/edgechain/edge
if [ "${1:-}" = --check ]; then
  status=0
  while IFS= read -r f; do
    cmp -s "$generated/$f" "$f" || { echo "proto: $f is not what proto/ generates" >&2; status=1; }
  done < <(cd "$generated" && find . -name '*.pb*.go')
  while IFS= read -r f; do
    [ -e "$generated/$f" ] || { echo "proto: $f is generated from no schema" >&2; status=1; }
  done < <(find x -name '*.pb*.go')
  [ "$status" -eq 0 ] || { echo "proto: run 'make proto' and commit the result" >&2; exit 1; }
  echo "proto: generated code is up to date"
  exec scripts/openapi.sh --check
fi
find x -name '*.pb*.go' -delete 2>/dev/null || true
cp -r "$generated/." .
scripts/openapi.sh
