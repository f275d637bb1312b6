#!/bin/sh
# layering.sh <source dir>: the layers include downwards only. rpc stands on runtime; samples, bench and test on both.
set -u
cd "$1" || exit 2
failed=0

# forbid <folder> <what may not be included, as a regular expression>
forbid() {
  [ -d "$1" ] || return 0
  if grep -rnE --include='*.hpp' --include='*.cpp' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"](weft/|(\.\./)+)?($2)" "$1"; then
    echo "$1/ must not include these" >&2
    failed=1
  fi
}

forbid runtime 'grpc/|grpcpp/|google/protobuf/|absl/|rpc/|[^>"]*\.(pb|weft)\.h|proto/|samples/|bench/|test/'
forbid rpc 'samples/|bench/|test/'
forbid test/kit 'grpc/|grpcpp/|google/protobuf/|absl/|rpc/|samples/|bench/'
exit $failed
