#!/usr/bin/env bash
# Do the tests notice? Applies each change of mutations.txt to a copy of the sources, builds the one test file that has to
# notice, and expects it to fail. `./dev mutate [ROW...]`: only these rows. The test "fuzz/session" is the fuzzer, which gets a
# minute, and no inputs to begin with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly root=$PWD copy=$PWD/build/mutants patience=60  # seconds for a test
readonly src=$copy/src build=$copy/build

trim() { local s=$1; s=${s#"${s%%[![:space:]]*}"}; printf '%s' "${s%"${s##*[![:space:]]}"}"; }

# Only what differs, so that the build does little.
fresh_sources() {
  mkdir -p "$src"
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [[ -f $file ]] || continue
    cmp -s "$file" "$src/$file" || { mkdir -p "$src/$(dirname "$file")"; cp "$file" "$src/$file"; }
  done
}

# build <where> <target> <option of cmake...>
build() {
  local where=$1 target=$2
  shift 2
  { cmake -S "$src" -B "$where" -DWEFT_BUILD_BENCH=OFF -DWEFT_WERROR=OFF "$@" && cmake --build "$where" --target "$target"; } > "$copy/log" 2>&1 ||
    { echo "mutate: does not build:" >&2; grep -m5 'error' "$copy/log" >&2; return 2; }
}

# build_and_run <test file>: 0 when it passes. A hang is a failure.
build_and_run() {
  local program=test_${1%%/*}
  if [[ $1 == fuzz/* ]]; then
    program=fuzz_${1#*/}
    build "$copy/fuzz" "$program" --preset asan || return
    rm -rf "$copy/found" && mkdir -p "$copy/found"
    started=$SECONDS
    "$copy/fuzz/test/fuzz/$program" -max_total_time="$patience" -max_len=4096 -dict="test/fuzz/${1#*/}.dict" \
      -artifact_prefix="$copy/" "$copy/found" >> "$copy/log" 2>&1
    return
  fi
  build "$build" "$program" --preset dev -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O0 -DWEFT_TESTS="/$1\\.test\\.cpp\$" || return
  started=$SECONDS
  timeout "$patience" "$build/test/$program" >> "$copy/log" 2>&1
}

failed=0 red=0 checked=" "
while IFS='|' read -r row test file from to; do
  row=$(trim "$row") test=$(trim "$test") file=$(trim "$file") from=$(trim "$from") to=$(trim "$to")
  [[ $row && $row != \#* ]] || continue
  (($# == 0)) || [[ " $* " == *" $row "* ]] || continue
  fresh_sources
  if [[ $checked != *" $test "* ]]; then
    build_and_run "$test" || { echo "mutate: $test fails without any change" >&2; exit 1; }
    checked+="$test "
  fi
  found=$(FROM=$from perl -0ne 'my $f = $ENV{FROM}; $f =~ s/\\n\s*/\n/g; my $re = join "\\s*", map { quotemeta } split /\s+/, $f; my $n = () = /$re/g; print $n' "$src/$file")
  if [[ $found != 1 ]]; then
    echo "mutate: $row $file: found $found times: $from" >&2
    failed=$((failed + 1))
    continue
  fi
  FROM=$from TO=$to perl -0pi -e 'my $f = $ENV{FROM}; my $re = join "\\s*", map { quotemeta } split /\s+/, $f; s/$re/$ENV{TO}/' "$src/$file"
  outcome=0
  build_and_run "$test" || outcome=$?
  case $outcome in
    0) echo "$row  $test stays green: $file: $from -> $to" >&2; failed=$((failed + 1)) ;;
    2) failed=$((failed + 1)) ;;
    *) echo "$row  $test goes red within $((SECONDS - started + 1)) s: $file: $from -> $to"; red=$((red + 1)) ;;
  esac
done <<< "$(cat test/mutations.txt)"
echo "mutate: $red noticed, $failed not"
((failed == 0))
