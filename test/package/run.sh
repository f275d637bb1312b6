#!/usr/bin/env bash
# Uses weft from a project of its own, both ways: installed, and as a subdirectory.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# use <build dir> [cmake argument...]
use() {
  local build=$1
  shift
  cmake -G Ninja -S "$here" -B "$build" -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Release "$@"
  cmake --build "$build" --target hello hello_test
  "$build/hello"
  "$build/hello_test"
}

echo "package: installed"
"$root/dev" build dev
cmake --install "$root/build/dev" --prefix "$scratch/prefix" > "$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
use "$scratch/installed" -DCMAKE_PREFIX_PATH="$scratch/prefix"
"$scratch/prefix/bin/weft" --help > "$scratch/help"

echo "package: as a subdirectory"
use "$scratch/subdirectory" -DWEFT_SOURCE_DIR="$root"
