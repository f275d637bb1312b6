#!/usr/bin/env bash
# Runs the cases of weft's sessions between weft and a peer in Python that was made from session.proto alone, both directions.
set -euo pipefail

case ${1:---help} in
  -h | --help) echo "usage: sessions.sh BUILD   (a build folder with session_server and session_client)"; exit ;;
esac
programs=$(cd -P "$1" && pwd)/test/interop
cd -P "$(dirname "${BASH_SOURCE[0]}")"
readonly programs window=16 window_bytes=100000
export PYTHONDONTWRITEBYTECODE=1

scratch=$(mktemp -d)
server=
passed=0 failures=0
stop_server() {
  [[ $server ]] || return 0
  kill "$server" 2> /dev/null || true
  wait "$server" || { echo "sessions: the server ended with $?" >&2; failures=$((failures + 1)); }
  server=
}
trap 'stop_server; rm -rf "$scratch"' EXIT

export INTEROP_DESCRIPTORS=$scratch/sessions.protoset
protoc -I . -I ../../proto --include_imports -o "$INTEROP_DESCRIPTORS" desk.proto weft/session/v1/session.proto
python() { /usr/bin/python3 "peers/python/$1.py" "${@:2}"; }

# start <command...>: a server, which says its port. (Not in a subshell: its end is awaited.)
start() {
  : > "$scratch/out"
  "$@" > "$scratch/out" 2> "$scratch/server" &
  server=$!
  port=
  for ((tries = 0; tries < 200; ++tries)); do
    port=$(sed -n 's/^listening on //p' "$scratch/out")
    [[ ! $port ]] || return 0
    kill -0 "$server" || break
    sleep 0.05
  done
  echo "sessions: no server: $*: $(tail -3 "$scratch/server")" >&2
  exit 1
}

# run_case <title> <case> <client command...>
run_case() {
  local title=$1 case=$2
  shift 2
  if timeout 90 "$@" --server_port="$port" --window="$window" --window_bytes="$window_bytes" --test_case="$case" 2> "$scratch/err"; then
    passed=$((passed + 1))
  else
    echo "sessions: FAILED $title: $case: $(tail -3 "$scratch/err")" >&2
    failures=$((failures + 1))
  fi
}

# A server for each case: some end it, and counts begin anew.
python_cases=$(python session_client --help | sed '1,/^cases:/d; s/^ *\([a-z_]*\):.*/\1/')
for case in $python_cases; do
  start "$programs/session_server" --port=0 --window="$window" --window_bytes="$window_bytes"
  run_case "Python calls weft" "$case" /usr/bin/python3 peers/python/session_client.py --server_pid="$server"
  stop_server
done
weft_cases=$("$programs/session_client" --help | sed '1,/^cases:/d; s/^ *\([a-z_]*\):.*/\1/')
for case in $weft_cases; do
  start /usr/bin/python3 peers/python/session_server.py --port=0 --window="$window" --window_bytes="$window_bytes"
  run_case "weft calls Python" "$case" "$programs/session_client"
  stop_server
done
echo "sessions: $passed passed, $failures failed"
((failures == 0 && passed > 0))
