#!/usr/bin/env bash
# Builds the benchmarks' peers in Go into a folder, offline, from Debian's packages or another GOPATH.
set -euo pipefail

usage() { echo "usage: build.sh DIR [GOPATH]    builds DIR/go-peer; GOPATH is Debian's /usr/share/gocode unless it is said"; }
case ${1:---help} in
  -h | --help) usage; exit ;;
esac
dir=$(mkdir -p "$1" && cd -P "$1" && pwd)
gopath=${2:-/usr/share/gocode}
cd -P "$(dirname "${BASH_SOURCE[0]}")/go"
command -v go > /dev/null || { echo "build.sh: no Go here; rows of Go are left out" >&2; exit 0; }

[[ $(cat "$dir/gopath" 2> /dev/null) == "$gopath" ]] || rm -f "$dir/go-peer"
[[ ! -x $dir/go-peer || $(find . -newer "$dir/go-peer" -type f) ]] || exit 0
mkdir -p "$dir/src/bench"
protoc -I . --plugin=protoc-gen-go=/usr/bin/protoc-gen-go --go_out=plugins=grpc,paths=source_relative:"$dir/src/bench" bench.proto
GO111MODULE=off GOFLAGS='' GOPATH=$dir:$gopath GOCACHE=$dir/cache go build -o "$dir/go-peer" .
echo "$gopath" > "$dir/gopath"
