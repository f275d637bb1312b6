#!/usr/bin/env bash
# Runs gRPC's interop cases between weft and its peers in other languages, both directions, plain and TLS.
set -euo pipefail

usage() {
  cat << 'EOT'
usage: run.sh BUILD [case...]
BUILD is a build folder with interop_server and interop_client (cmake --preset dev); all cases are run unless some are named.
The peers are built into BUILD/../interop. A case that a peer's library cannot take part in is listed, and why is in README.md.
EOT
}

case ${1:---help} in
  -h | --help) usage; exit ;;
esac
programs=$(cd -P "$1" && pwd)/test/interop
shift
cd -P "$(dirname "${BASH_SOURCE[0]}")"
peers=$(mkdir -p "$programs/../../../interop" && cd -P "$programs/../../../interop" && pwd)
readonly programs peers languages=(go python node)
all_cases=$("$programs/interop_client" --help | sed '1,/^cases:/d')
readonly cases=${*:-$all_cases}

# What a peer's library cannot do: role language case (see README.md).
readonly unable="server go server_compressed_unary
server go server_compressed_streaming
server node client_compressed_unary
server node client_compressed_streaming
server node server_compressed_unary
server node server_compressed_streaming
client node server_compressed_unary
client node server_compressed_streaming"

scratch=$(mktemp -d)
server=
stop_server() {
  [[ $server ]] || return 0
  kill "$server" 2> /dev/null || true
  wait "$server" || { echo "interop: the server ended with $?" >&2; failures=$((failures + 1)); }
  server=
}
trap 'stop_server; rm -rf "$scratch"' EXIT
passed=0 failures=0 left_out=0

# start <command...>: a server, which says its port. (Not in a subshell: its end is awaited.)
start() {
  : > "$scratch/out"
  "$@" > "$scratch/out" &
  server=$!
  port=
  for ((tries = 0; tries < 200; ++tries)); do
    port=$(sed -n 's/^listening on //p' "$scratch/out")
    [[ ! $port ]] || return 0
    kill -0 "$server" || break
    sleep 0.05
  done
  echo "interop: no server: $*" >&2
  exit 1
}

# run_cases <language> <role of the peer> <title> <client command...>
run_cases() {
  local language=$1 role=$2 title=$3 case
  shift 3
  for case in $cases; do
    if grep -qx "$role $language $case" <<< "$unable"; then
      left_out=$((left_out + 1))
    elif timeout 90 "$@" --server_port="$port" --test_case="$case" 2> "$scratch/err"; then
      passed=$((passed + 1))
    else
      echo "interop: FAILED $title: $case: $(tail -3 "$scratch/err")" >&2
      failures=$((failures + 1))
    fi
  done
  echo "interop: $title: $passed passed so far, $failures failed"
}

./peers.sh build "$peers"
./certificates.sh "$peers/certificates"
readonly certificates=$peers/certificates
for security in plain tls; do
  of_server=(--use_tls=false) of_client=(--use_tls=false)
  if [[ $security == tls ]]; then
    of_server=(--use_tls=true --tls_cert_file="$certificates/server.pem" --tls_key_file="$certificates/server.key")
    of_client=(--use_tls=true --tls_ca_file="$certificates/ca.pem" --server_host_override=foo.test.google.fr)
  fi
  start "$programs/interop_server" --port=0 "${of_server[@]}"
  run_cases weft client "weft calls weft, $security" "$programs/interop_client" --server_host=localhost "${of_client[@]}"
  for language in "${languages[@]}"; do
    run_cases "$language" client "$language calls weft, $security" \
      ./peers.sh client "$language" "$peers" --server_host=localhost "${of_client[@]}"
  done
  stop_server
  for language in "${languages[@]}"; do
    start ./peers.sh server "$language" "$peers" --port=0 "${of_server[@]}"
    run_cases "$language" server "weft calls $language, $security" \
      "$programs/interop_client" --server_host=127.0.0.1 "${of_client[@]}"
    stop_server
  done
done
echo "interop: $passed passed, $failures failed, $left_out not possible for the peer's library"
((failures == 0))
