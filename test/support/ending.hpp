#pragma once
#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// How a process ended.
struct ending {
  int signal = 0;
  std::string said;  // on stderr
};

/// Runs `f` in a process of its own. Between test cases this process has one thread, so the child may start some.
inline ending end_of(void (*f)()) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGABRT, SIG_DFL);  // not doctest's
    alarm(120);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    f();
    _exit(0);
  }
  close(ends[1]);
  ending e;
  char text[512];
  for (ssize_t n; (n = read(ends[0], text, sizeof text)) > 0;) e.said.append(text, static_cast<std::size_t>(n));
  close(ends[0]);
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  if (WIFSIGNALED(state)) e.signal = WTERMSIG(state);
  return e;
}

inline void check_misuse(void (*f)(), const std::string& expected) {
  const auto e = end_of(f);
  CHECK(e.signal == SIGABRT);
  CHECK_MESSAGE(e.said.ends_with("weft: misuse: " + expected + "\n"), e.said);
}

}  // namespace test
