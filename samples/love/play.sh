#!/usr/bin/env bash
# play.sh BUILD [ARGUMENT...]: the table against robots on this machine, with the lobby of a build (build/dev). ARGUMENTs go to LÖVE.
# play.sh BUILD --test FOLDER: plays by itself under Xvfb, two games at least, and through a connection that breaks once in the middle
# of one; leaves a screenshot and a report in FOLDER, and checks both.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-} in
  "" | -h | --help) sed -n '2,4s/^# //p' "$0"; exit $(($# == 0 ? 2 : 0)) ;;
esac
build=$(cd "$1" && pwd)
shift
scratch=$(mktemp -d)
started=()
end() {
  for p in "${started[@]}"; do kill "$p" 2> /dev/null || true; done
  rm -rf "$scratch"
}
trap end EXIT

# The lobby asks for a port that was free a moment ago.
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "{\"listen\": \"127.0.0.1:$port\", \"chatDelayMs\": 100}" > "$scratch/topology.json"
exec {ready}< <(exec "$build/samples/lobby/lobby" --role all --config "$scratch/topology.json" 2> "$scratch/lobby.log")
started+=($!)
read -r -u "$ready" -t 20 _ || { cat "$scratch/lobby.log" >&2; exit 1; }
"$build/samples/lobby/robots" --address "127.0.0.1:$port" --robots 3 --seconds 3600 --quiet 2> "$scratch/robots.log" &
started+=($!)

address=127.0.0.1:$port
if [[ ${1:-} == --test ]]; then
  exec {relayed}< <(exec /usr/bin/python3 "$here/relay.py" "$address" 3)
  started+=($!)
  read -r -u "$relayed" -t 20 address
fi
love=(love "$here" --address "$address" --library "$build/rpc/c/libweft.so" --sources "$here/../../rpc/c"
  --descriptors "$build/samples/love/link.descriptors")
if [[ ${1:-} != --test ]]; then
  "${love[@]}" "$@"
  exit
fi
out=$2
mkdir -p "$out"
rm -f "$out/table.png" "$out/report.json"
exec {display}< <(exec Xvfb -displayfd 1 -screen 0 1280x800x24 -nolisten tcp 2> "$scratch/xvfb.log")
started+=($!)
read -r -u "$display" -t 20 number || { cat "$scratch/xvfb.log" >&2; exit 1; }
DISPLAY=:$number LIBGL_ALWAYS_SOFTWARE=1 SDL_AUDIODRIVER=dummy timeout 240 "${love[@]}" --name ann --robot --games 2 --connections 2 --think 0.15 \
  --report "$out/report.json" --screenshot "$out/table.png" || { echo "play: LÖVE ended with $?" >&2; exit 1; }
/usr/bin/python3 "$here/check_table.py" "$out/report.json" "$out/table.png"
