#!/usr/bin/env bash
# run.sh ECHO_PROGRAM CERTIFICATES_SH COMMAND...: starts the echo server, makes certificates, and runs COMMAND with
# {certificates} and {echo} replaced by the folder and the address.
set -euo pipefail
if [[ ${1:-} == --help ]]; then
  sed -n '2,3s/^# //p' "$0"
  exit
fi
echo_program=$1 certificates=$2
shift 2
scratch=$(mktemp -d)
bash "$certificates" "$scratch/certificates"
exec {from}< <(exec "$echo_program" serve 127.0.0.1:0 0)
server=$!
trap 'kill $server; rm -rf "$scratch"' EXIT
read -r -u "$from" -t 20 address
command=("${@//\{certificates\}/$scratch/certificates}")
"${command[@]//\{echo\}/$address}"
