#pragma once
#include <cstdio>

/// Leaves a test case that cannot run on this machine. ctest reports it as skipped; to root, who can do anything,
/// `./dev test` reports it as a failure.
#define WEFT_SKIP(why)           \
  do {                           \
    std::puts("[skipped] " why); \
    return;                      \
  } while (false)
