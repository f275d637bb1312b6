#!/usr/bin/env bash
# Peers for interop tests: gRPC in other languages. `peers.sh --help`.
set -euo pipefail

here=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/peers" && pwd)
readonly here
readonly languages=(go python node)
readonly protos=/usr/share/grpc-proto

usage() {
  cat << 'EOF'
usage: peers.sh build DIR                     build all peers into DIR; offline if they are there
       peers.sh server LANGUAGE DIR [flags]   become a server; --help lists its flags
       peers.sh client LANGUAGE DIR [flags]   become a client; --help lists its flags and test cases

languages: go, python, node
EOF
}

die() { echo "peers: $*" >&2; exit 2; }

# up_to_date <output> <source...>
up_to_date() {
  local output=$1 source
  shift
  [[ -e $output ]] || return 1
  for source in "$@"; do [[ ! $source -nt $output ]] || return 1; done
}

descriptors() {
  [[ -f $protos/grpc/testing/test.proto ]] || die "no $protos/grpc/testing/test.proto: install what packages.txt lists"
  protoc -I "$protos" --include_imports -o "$1/testing.protoset" grpc/testing/test.proto
}

go_peer() {
  local dir=$1/go
  ! up_to_date "$dir/peer" "$here"/go/*.go || return 0
  mkdir -p "$dir/src"
  # The version of the generator is that of the library it generates for; others do not fit together.
  protoc -I "$protos" --plugin=protoc-gen-go=/usr/bin/protoc-gen-go --go_out=plugins=grpc,paths=source_relative:"$dir/src" \
    grpc/testing/{empty,messages,test}.proto
  (cd "$here/go" && GO111MODULE=off GOFLAGS='' GOPATH=$dir:/usr/share/gocode GOCACHE=$dir/cache go build -o "$dir/peer" .)
}

node_peer() {
  local dir=$1/node
  ! up_to_date "$dir/node_modules/.package-lock.json" "$here/node/package-lock.json" || return 0
  mkdir -p "$dir"
  cp "$here"/node/package{,-lock}.json "$dir"
  npm --prefix "$dir" ci --ignore-scripts --no-audit --no-fund --loglevel=error
  touch "$dir/node_modules/.package-lock.json"
}

build() {
  mkdir -p "$1"
  local dir
  dir=$(cd -P "$1" && pwd)
  descriptors "$dir"
  go_peer "$dir"
  node_peer "$dir"
}

# become <server|client> <language> <directory> [flag...]
become() {
  (($# >= 3)) || die "$1 takes a language and a directory"
  local role=$1 language=$2 dir=$3
  shift 3
  [[ " ${languages[*]} " == *" $language "* ]] || die "no language \"$language\"; there are: ${languages[*]}"
  [[ -f $dir/testing.protoset ]] || die "nothing is built in $dir; peers.sh build $dir does it"
  dir=$(cd -P "$dir" && pwd)
  export INTEROP_DESCRIPTORS=$dir/testing.protoset
  case $language in
    go) exec "$dir/go/peer" "$role" "$@" ;;
    python) PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$here/python/$role.py" "$@" ;;
    # The library passes an address as a server's name, of which node warns.
    node) NODE_PATH=$dir/node/node_modules exec node --no-deprecation "$here/node/$role.js" "$@" ;;
  esac
}

case ${1:---help} in
  -h | --help | help) usage ;;
  build)
    (($# == 2)) || die "build takes a directory"
    build "$2"
    ;;
  server | client) become "$@" ;;
  *) die "no verb \"$1\"; there are: build, server, client" ;;
esac
