#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lobby {

/// One end of a pipe, or any other descriptor, closed when it goes.
class file_descriptor {
 public:
  explicit file_descriptor(int fd = -1) : fd_{fd} {}
  file_descriptor(file_descriptor&& other) noexcept;
  file_descriptor& operator=(file_descriptor&& other) noexcept;
  ~file_descriptor() { close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_;
};

/// What comes out of a pipe, line by line.
class line_reader {
 public:
  explicit line_reader(file_descriptor from) : from_{std::move(from)} {}

  const std::vector<std::string>& lines() const { return lines_; }
  int fd() const { return from_.get(); }
  /// Takes what is there; does not wait.
  void read();

 private:
  file_descriptor from_;
  std::string begun_;  // a line that has not ended
  std::vector<std::string> lines_;
};

/// A program that this one has started and looks after: it dies with this one, whatever happens, and is killed by the
/// destructor. It inherits stdin and nothing else.
class child_process {
 public:
  /// `command` is the program's path and its arguments. Throws std::system_error.
  child_process(std::string name, std::vector<std::string> command);
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<std::string>& output() const { return output_.lines(); }
  const std::vector<std::string>& errors() const { return errors_.lines(); }
  bool running() const { return !end_; }
  bool succeeded() const;
  /// "cards has ended with code 1, and said: …", its last lines on stderr.
  std::string report() const;
  void signal(int number);

 private:
  friend class child_processes;
  void start(const std::vector<std::string>& command, int output, int errors);
  void see_whether_it_ended();

  std::string name_;
  line_reader output_;
  line_reader errors_;
  pid_t pid_ = -1;
  std::optional<int> end_;  // as waitpid says
};

/// All that this program has started. While one of these exists, SIGINT and SIGTERM are answered by `interrupted`. Make
/// one at most. For a program of one thread.
class child_processes {
 public:
  child_processes();
  ~child_processes();
  child_processes(const child_processes&) = delete;
  child_processes& operator=(const child_processes&) = delete;

  child_process& start(std::string name, std::vector<std::string> command);

  /// Reads what they say and notices how they end, until `done()`, the time is up, or this program is interrupted. True
  /// when it was done.
  bool wait(std::chrono::milliseconds limit, const std::function<bool()>& done);
  bool interrupted() const { return interrupted_; }

  /// Ends them by SIGTERM, and after `patience`, or when interrupted meanwhile, by SIGKILL. Returns the names of those that
  /// had to be killed. What they said stays.
  std::vector<std::string> stop(std::chrono::milliseconds patience);

 private:
  void read_until(std::chrono::steady_clock::time_point until);
  void read_signals();

  file_descriptor signals_;
  std::vector<std::unique_ptr<child_process>> children_;
  bool interrupted_ = false;
};

}  // namespace lobby
