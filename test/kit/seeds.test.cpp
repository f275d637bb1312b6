#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/test/doctest.hpp>
#include <weft/test/seeds.hpp>

using weft::test::for_seeds;
using weft::test::world;

namespace {

weft::task<> wait_for_nothing() {
  weft::event never_set;
  static_cast<void>(co_await never_set.wait());
}

// What `f` writes to stderr in a process of its own.
template <class F>
std::string stderr_of(F f) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);
    try {
      f();
    } catch (...) {
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

bool says_seed(const std::string& text, const char* seed) {
  return text.find("seeds.test.cpp:") != std::string::npos &&
         text.find(std::string{" with seed "} + seed + "; again:\nWEFT_SEED=" + seed + " ") != std::string::npos;
}

}  // namespace

TEST_SUITE("seeds") {
  TEST_CASE("for_seeds gives each seed a world") {
    ::unsetenv("WEFT_SEED");
    std::vector<std::uint64_t> seeds;
    for_seeds(3, [&](world& w) { seeds.push_back(w.seed()); });
    CHECK(seeds == std::vector<std::uint64_t>{1, 2, 3});
  }

  TEST_CASE("WEFT_SEED runs that seed alone") {
    ::setenv("WEFT_SEED", "77", 1);
    std::vector<std::uint64_t> seeds;
    for_seeds(3, [&](world& w) { seeds.push_back(w.seed()); });
    ::unsetenv("WEFT_SEED");
    CHECK(seeds == std::vector<std::uint64_t>{77});
  }

  TEST_CASE("an exception says its seed and goes on") {
    const auto text = stderr_of([] {
      for_seeds(3, [](world& w) {
        if (w.seed() == 2) throw 1;
      });
    });
    CHECK(says_seed(text, "2"));
    CHECK_THROWS_AS(for_seeds(1, [](world&) { throw 1; }), int);
  }

  TEST_CASE("a hang says its seed and what hangs") {
    const auto text = stderr_of([] { for_seeds(3, [](world& w) { w.run(wait_for_nothing()); }); });
    CHECK(says_seed(text, "1"));
    CHECK(text.find("test: event for 0 ms, on control") != std::string::npos);
  }

  TEST_CASE("a misuse says its seed, and whoever watched aborts before is told") {
    const auto text = stderr_of([] {
      ::signal(SIGABRT, [](int) {
        [[maybe_unused]] const auto n = ::write(STDERR_FILENO, "told\n", 5);
        ::_exit(1);
      });
      for_seeds(3, [](world& w) {
        if (w.seed() == 3) weft::misuse("on purpose");
      });
    });
    CHECK(says_seed(text, "3"));
    CHECK(text.ends_with("told\n"));
  }

  TEST_CASE("the report of a seed is made once, and only while it runs") {
    const auto text = stderr_of([] {
      weft::test::report_seed();
      for_seeds(2, [](world& w) {
        if (w.seed() == 2) {
          weft::test::report_seed();
          weft::test::report_seed();
        }
      });
      weft::test::report_seed();
    });
    CHECK(says_seed(text, "2"));
    CHECK(text.find("again") == text.rfind("again"));
  }
}
