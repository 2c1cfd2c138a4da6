#!/usr/bin/env bash
# Installs the pinned code generators into build/tools. They have module graphs of their own, so none of them is in go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/build/tools"
mkdir -p "$bin"
install_tool() { # package, version
  local stamp="$bin/.$(basename "$1")@$2"
  [ -e "$stamp" ] && return
  GOBIN="$bin" GOFLAGS=-mod=mod go install "$1@$2"
  touch "$stamp"
}
for group in "$@"; do
  case "$group" in
    proto)
      install_tool github.com/cosmos/gogoproto/protoc-gen-gocosmos v1.7.2
      install_tool github.com/grpc-ecosystem/grpc-gateway/protoc-gen-grpc-gateway v1.16.0
      install_tool github.com/bufbuild/buf/cmd/buf v1.75.0
      ;;
    openapi)
      install_tool github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2 v2.29.0
      install_tool github.com/bufbuild/buf/cmd/buf v1.75.0
      ;;
    lint)
      install_tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.12.2
      ;;
    *)
      echo "tools.sh: unknown group $group (want proto, openapi or lint)" >&2
      exit 2
      ;;
  esac
done
