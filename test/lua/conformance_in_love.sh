#!/usr/bin/env bash
# conformance_in_love.sh ROOT LIBRARY CONFORMANCE_TEST_CPP DESCRIPTORS: the suite in LÖVE's frames, under Xvfb.
set -euo pipefail
if (($# != 4)); then
  sed -n '2s/^# //p' "$0"
  [[ ${1:-} == --help ]] && exit 0 || exit 2
fi
scratch=$(mktemp -d)
exec {display}< <(exec Xvfb -displayfd 1 -screen 0 640x480x24 -nolisten tcp 2> "$scratch/xvfb.log")
xvfb=$!
trap 'kill "$xvfb" 2> /dev/null || true; rm -rf "$scratch"' EXIT
read -r -u "$display" -t 20 number || { cat "$scratch/xvfb.log" >&2; exit 1; }
DISPLAY=:$number LIBGL_ALWAYS_SOFTWARE=1 SDL_AUDIODRIVER=dummy timeout 300 love "$(dirname "$0")/love" "$@"
