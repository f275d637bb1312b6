#!/bin/sh
# symbols.sh LIBRARY HEADER: the library exports what the header declares, and nothing else.
set -eu
exported=$(nm -D --defined-only "$1" | awk '{print $3}' | sort)
declared=$(grep -oE '^WEFT_API [^(]*weft_[a-z_]+\(' "$2" | grep -oE 'weft_[a-z_]+\($' | tr -d '(' | sort)
[ -n "$declared" ]
if [ "$exported" != "$declared" ]; then
  printf 'exported:\n%s\ndeclared:\n%s\n' "$exported" "$declared" > /dev/stderr
  exit 1
fi
