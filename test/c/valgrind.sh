#!/usr/bin/env bash
# valgrind.sh SUPPRESSIONS LIBRARY PROGRAM [ARGUMENT...]: runs PROGRAM under memcheck. Without debug information, which valgrind
# 3.19 cannot read as clang 19 writes it: symbols are enough for a stack.
set -euo pipefail
if [[ ${1:-} == --help ]]; then
  sed -n '2,3s/^# //p' "$0"
  exit
fi
suppressions=$1 library=$2 program=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
name=$(objdump -p "$library" | awk '$1 == "SONAME" {print $2}')
strip --strip-debug -o "$scratch/$name" "$library"
strip --strip-debug -o "$scratch/program" "$program"
LD_LIBRARY_PATH=$scratch valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
  --errors-for-leak-kinds=definite "--suppressions=$suppressions" ${VALGRIND_OPTIONS:-} "$scratch/program" "$@"
