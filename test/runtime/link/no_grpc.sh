#!/bin/sh
# no_grpc.sh <program> <library>...: the program loads no gRPC, protobuf, absl or OpenSSL, and the libraries name none of theirs.
set -u
forbidden='grpc|protobuf|absl|libssl|libcrypto'
loaded=$(ldd "$1") || exit 2
if printf '%s\n' "$loaded" | grep -E "$forbidden"; then
  echo "$1 loads these" >&2
  exit 1
fi
shift
for library in "$@"; do
  names=$(nm --demangle --undefined-only "$library") || exit 2
  if printf '%s\n' "$names" | grep -E '(^|[^a-z_])(grpc|google::protobuf|absl)(::|_)|SSL_'; then
    echo "$library uses these" >&2
    exit 1
  fi
done
