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
  cmake -G Ninja -S "$here" -B "$build" -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Release "$@"
  cmake --build "$build" --target hello hello_test player c_interface
  "$build/hello"
  "$build/player"
  sh "$root/test/runtime/link/no_grpc.sh" "$build/player"
  "$build/hello_test"
  "$root/test/c/run.sh" "$root/build/dev/test/echo_program" "$root/test/interop/certificates.sh" "$build/c_interface" \
    "$root/build/dev/test/c/echo.descriptors" {certificates} {echo} > "$scratch/c_interface.log"
}

echo "package: installed"
"$root/dev" build dev
cmake --install "$root/build/dev" --prefix "$scratch/prefix" > "$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
use "$scratch/installed" -DCMAKE_PREFIX_PATH="$scratch/prefix"
"$scratch/prefix/bin/weft" --help > "$scratch/help"
libweft=$(find "$scratch/prefix" -name libweft.so)
sh "$root/test/c/symbols.sh" "$libweft" "$scratch/prefix/include/weft/weft.h"
luajit "$root/test/c/c_interface.lua" "$scratch/prefix/share/weft" "$scratch/prefix/include/weft/weft.h" "$libweft" \
  "$root/build/dev/test/c/echo.descriptors"
/usr/bin/python3 "$root/test/c/c_interface.py" "$libweft" "$root/build/dev/test/c/echo.descriptors"

echo "package: as a subdirectory"
use "$scratch/subdirectory" -DWEFT_SOURCE_DIR="$root"
