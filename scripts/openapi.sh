#!/usr/bin/env bash
# Generates app/openapi's document and page from proto/ and the schemas of the SDK, which scripts/proto.sh has copied to
# build/proto/third_party. With --check it fails if the checked-in files differ from what is generated.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh openapi
rm -rf build/proto/openapi
build/tools/buf generate --template proto/buf.gen.openapi.yaml
go run ./scripts/openapi build/proto/openapi/edge.swagger.json build/proto/openapi
for f in openapi.json index.html; do
  if [ "${1:-}" = --check ]; then
    cmp -s "build/proto/openapi/$f" "app/openapi/$f" || {
      echo "openapi: app/openapi/$f is not what the schemas generate: run 'make proto' and commit the result" >&2
      exit 1
    }
  else
    cp "build/proto/openapi/$f" app/openapi/
  fi
done
if [ "${1:-}" = --check ]; then
  echo "openapi: document and page are up to date"
fi
