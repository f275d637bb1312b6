#pragma once
#include <cstdint>
#include <functional>
#include <source_location>
#include <weft/test/world.hpp>

namespace weft::test {

/// Calls `f` with a new world for each of the seeds 1 to `n`; with WEFT_SEED=k in the environment, for k only.
///
/// When `f` throws, `run` finds a task that hangs, or the process aborts (an assertion, a misuse), it prints how to repeat it:
///
///     weft::test: failed at seeds.test.cpp:40 with seed 123; again:
///     WEFT_SEED=123 build/dev/test/test_runtime '--test-case=no value is lost'
///
/// and ends there: the exception goes on. Include <weft/test/doctest.hpp> as well, and a failed CHECK is reported so too.
void for_seeds(std::uint64_t n, const std::function<void(world&)>& f, world_options options = {},
               std::source_location where = std::source_location::current());

/// Prints the lines above, once a seed; nothing outside of `for_seeds`. For other test frameworks' hooks.
void report_seed() noexcept;

}  // namespace weft::test
