#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::bench {

/// How often each call ran, in a file that several processes map: what a server that is killed has counted stays.
class executions {
 public:
  /// A new file for so many calls, which goes with this object. Throws std::system_error, as the other one.
  explicit executions(std::size_t calls);
  /// One that another process has made.
  executions(std::string file, std::size_t calls);
  ~executions();
  executions(const executions&) = delete;
  executions& operator=(const executions&) = delete;

  const std::string& file() const noexcept { return file_; }
  std::uint8_t* counts() const noexcept { return counts_; }
  std::size_t calls() const noexcept { return calls_; }

 private:
  void map(int descriptor);

  std::string file_;
  std::size_t calls_;
  bool owner_;
  std::uint8_t* counts_ = nullptr;
};

}  // namespace weft::bench
