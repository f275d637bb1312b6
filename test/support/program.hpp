#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// Another program, with its stdin and stdout in our hands. What it writes to stderr can be read when it has ended. One that
/// neither says something nor ends for long is killed, and the test fails.
class program {
 public:
  static constexpr int patience_ms = 100'000;

  explicit program(std::vector<std::string> command) : errors_{std::tmpfile()} {
    std::signal(SIGPIPE, SIG_IGN);  // it may end before it has read everything
    REQUIRE(errors_ != nullptr);
    int in[2], out[2];
    REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ::fileno(errors_), STDERR_FILENO);
    std::vector<char*> words;
    for (auto& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    const int failed = posix_spawn(&pid_, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    REQUIRE(failed == 0);
  }
  ~program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    end_input();
    ::close(from_);
    std::fclose(errors_);
  }
  program(const program&) = delete;

  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  void say(std::string_view text) const {
    REQUIRE(::write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void end_input() {
    if (to_ >= 0) ::close(std::exchange(to_, -1));
  }
  /// The next line of its output; waits for it.
  std::string line() {
    auto end = output_.find('\n');
    for (; end == std::string::npos; end = output_.find('\n')) {
      if (!read_some()) break;
    }
    auto text = output_.substr(0, end);
    output_.erase(0, end == std::string::npos ? end : end + 1);
    return text;
  }

  /// How it ended, and what it wrote that was not read before.
  struct ending {
    int code = -1;  // or minus the signal
    std::string out;
    std::string errors;
  };
  ending end() {
    end_input();
    return wait();
  }
  /// The same without an end of its input.
  ending wait() {
    while (read_some()) {
    }
    ending e;
    e.out = std::move(output_);
    int state = 0;
    REQUIRE(::waitpid(std::exchange(pid_, -1), &state, 0) > 0);
    e.code = WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
    REQUIRE(std::fseek(errors_, 0, SEEK_SET) == 0);
    char text[512];
    for (std::size_t n; (n = std::fread(text, 1, sizeof text, errors_)) > 0;) e.errors.append(text, n);
    return e;
  }

 private:
  bool read_some() {
    pollfd more{.fd = from_, .events = POLLIN, .revents = 0};
    if (::poll(&more, 1, patience_ms) == 0) {
      ::kill(pid_, SIGKILL);
      FAIL("a program that was waited for says nothing");
    }
    char text[4'096];
    const auto n = ::read(from_, text, sizeof text);
    if (n > 0) output_.append(text, static_cast<std::size_t>(n));
    return n > 0;
  }

  std::FILE* errors_;
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string output_;
};

}  // namespace test
