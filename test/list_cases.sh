#!/bin/sh
# list_cases.sh <executable> <name> <file>: writes the executable's test cases to <file> as ctest entries "<name>: <case>".
#
# Our own instead of doctest_discover_tests, which trips over brackets and semicolons in names and takes a test case that
# did not run for one that passed: "test cases: 0" means that doctest skipped it or that its name found nothing.
set -eu
executable=$1 name=$2 file=$3

output=$("$executable" --list-test-cases --no-skip --no-colors)
printf '%s\n' "$output" | awk '!/^\[doctest\]|^===+$|^$/ && !seen[$0]++' | while IFS= read -r case; do
  # In a doctest filter a comma separates patterns.
  filter=$(printf '%s' "$case" | sed 's/,/\\,/g')
  printf 'add_test([==[%s: %s]==] [==[%s]==] --no-colors [==[--test-case=%s]==])\n' "$name" "$case" "$executable" "$filter"
  printf 'set_tests_properties([==[%s: %s]==] PROPERTIES LABELS %s TIMEOUT 300\n' "$name" "$case" "$name"
  printf '  SKIP_REGULAR_EXPRESSION [==[\[skipped\];test cases: +0 ]==])\n'
done > "$file.new"
mv "$file.new" "$file"
