#!/usr/bin/env bash
# Which lines of the decoder of sessions the fuzzer reaches, from the corpus and what it finds in some seconds more.
# coverage.sh SECONDS; fails when it is less than 90% of any file.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly seconds=$1 least=90 build=$PWD/build/coverage
readonly decoder=(rpc/session/{batch_reader.cpp,protobuf_wire.hpp,batch_writer.cpp,call_rules.cpp,call_rules.hpp,sent_calls.hpp,id_table.hpp})
cmake --preset asan -B "$build" -DWEFT_SANITIZE= -DCMAKE_CXX_FLAGS="-fprofile-instr-generate -fcoverage-mapping" > /dev/null
cmake --build "$build" --target fuzz_session >&2
readonly program=$build/test/fuzz/fuzz_session
mkdir -p "$build/found"
LLVM_PROFILE_FILE=$build/fuzz.profraw "$program" -max_total_time="$seconds" -max_len=4096 -dict=test/fuzz/session.dict \
  -artifact_prefix="$build/" "$build/found" test/fuzz/corpus/session 2>&1 | tail -1 >&2
llvm-profdata-19 merge -sparse "$build/fuzz.profraw" -o "$build/fuzz.profdata"
failed=0
for file in "${decoder[@]}"; do
  # Headers are known by the link to the sources.
  line=$(llvm-cov-19 export -summary-only "$program" -instr-profile="$build/fuzz.profdata" 2> /dev/null |
    python3 -c '
import json, sys
name = sys.argv[1]
for file in json.load(sys.stdin)["data"][0]["files"]:
    if file["filename"].endswith(name):
        lines = file["summary"]["lines"]
        print("%.1f%% of %d lines  %s" % (lines["percent"], lines["count"], name))
' "$file")
  echo "${line:-none  $file}"
  [[ $line && ${line%%.*} -ge $least ]] || failed=$((failed + 1))
done
((failed == 0)) || { echo "coverage: $failed files below $least%" >&2; exit 1; }
