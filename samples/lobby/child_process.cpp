#include "lobby/child_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace lobby {
namespace {

constexpr std::ptrdiff_t lines_in_report = 20;

[[noreturn]] void fail(const std::string& what) { throw std::system_error{errno, std::generic_category(), what}; }

struct pipe_ends {
  file_descriptor to_read;
  file_descriptor to_write;
};

pipe_ends make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) fail("pipe2");
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return {file_descriptor{fds[0]}, file_descriptor{fds[1]}};
}

sigset_t watched_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM}) ::sigaddset(&signals, number);
  return signals;
}

// In the child, between fork and exec.
[[noreturn]] void become(pid_t parent, char* const* arguments, int output, int errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);                                    // it died before it could be watched
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);  // no handler of the parent's runs here
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  ::execv(arguments[0], arguments);
  const std::string_view why{std::strerror(errno)};
  static_cast<void>(!::write(STDERR_FILENO, why.data(), why.size()));
  ::_exit(127);
}

}  // namespace

file_descriptor::file_descriptor(file_descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}

file_descriptor& file_descriptor::operator=(file_descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void file_descriptor::close() {
  if (open()) ::close(std::exchange(fd_, -1));
}

void line_reader::read() {
  std::array<char, 16'384> bytes{};
  while (from_.open()) {
    const auto count = ::read(from_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      from_.close();
      if (!begun_.empty()) lines_.push_back(std::exchange(begun_, {}));
      return;
    }
    begun_.append(bytes.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (auto end = begun_.find('\n'); end != std::string::npos; end = begun_.find('\n', begin)) {
      lines_.push_back(begun_.substr(begin, end - begin));
      begin = end + 1;
    }
    begun_.erase(0, begin);
  }
}

child_process::child_process(std::string name, std::vector<std::string> command)
    : name_{std::move(name)}, output_{file_descriptor{}}, errors_{file_descriptor{}} {
  auto output = make_pipe();
  auto errors = make_pipe();
  start(command, output.to_write.get(), errors.to_write.get());
  output_ = line_reader{std::move(output.to_read)};
  errors_ = line_reader{std::move(errors.to_read)};
}

void child_process::start(const std::vector<std::string>& command, int output, int errors) {
  std::vector<char*> arguments;
  for (const auto& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // execv leaves it alone
  }
  arguments.push_back(nullptr);
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(parent, arguments.data(), output, errors);
}

child_process::~child_process() {
  if (!running()) return;
  signal(SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool child_process::succeeded() const { return end_ && WIFEXITED(*end_) && WEXITSTATUS(*end_) == 0; }

std::string child_process::report() const {
  auto text = name_;
  if (!end_) {
    text += " runs";
  } else if (WIFSIGNALED(*end_)) {
    text += std::string{" was ended by signal "} + ::strsignal(WTERMSIG(*end_));
  } else {
    text += " has ended with code " + std::to_string(WEXITSTATUS(*end_));
  }
  if (errors().empty()) return text;
  text += ", and said:";
  const auto shown = std::min(lines_in_report, std::ssize(errors()));
  for (auto line = errors().end() - shown; line != errors().end(); ++line) text += "\n  " + *line;
  return text;
}

void child_process::signal(int number) {
  if (running()) ::kill(pid_, number);  // not yet waited for, so the number is still its own
}

void child_process::see_whether_it_ended() {
  int end = 0;
  if (running() && ::waitpid(pid_, &end, WNOHANG) == pid_) end_ = end;
}

child_processes::child_processes() {
  const auto signals = watched_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  signals_ = file_descriptor{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals_.open()) fail("signalfd");
}

child_processes::~child_processes() {
  const auto signals = watched_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

child_process& child_processes::start(std::string name, std::vector<std::string> command) {
  children_.push_back(std::make_unique<child_process>(std::move(name), std::move(command)));
  return *children_.back();
}

bool child_processes::wait(std::chrono::milliseconds limit, const std::function<bool()>& done) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (interrupted_ || std::chrono::steady_clock::now() >= until) return false;
    read_until(until);
  }
  return true;
}

void child_processes::read_until(std::chrono::steady_clock::time_point until) {
  std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}};
  for (const auto& child : children_) {
    watched.push_back({child->output_.fd(), POLLIN, 0});  // negative once closed: poll passes it over
    watched.push_back({child->errors_.fd(), POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  if (::poll(watched.data(), watched.size(), static_cast<int>(std::clamp<long>(left, 0, 60'000))) < 0) return;
  read_signals();
  for (const auto& child : children_) {
    child->see_whether_it_ended();
    child->output_.read();  // after that: what it said last is there once it has ended
    child->errors_.read();
  }
}

void child_processes::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) interrupted_ = true;
  }
}

std::vector<std::string> child_processes::stop(std::chrono::milliseconds patience) {
  const auto all_ended = [this] {
    return std::none_of(children_.begin(), children_.end(), [](const auto& child) { return child->running(); });
  };
  const bool was_interrupted = std::exchange(interrupted_, false);  // or there would be no patience
  for (const auto& child : children_) child->signal(SIGTERM);
  wait(patience, all_ended);
  std::vector<std::string> killed;
  for (const auto& child : children_) {
    if (child->running()) killed.push_back(child->name());
    child->signal(SIGKILL);
  }
  wait(patience, all_ended);
  interrupted_ = interrupted_ || was_interrupted;
  return killed;
}

}  // namespace lobby
