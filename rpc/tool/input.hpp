#pragma once
#include <memory>
#include <optional>
#include <string>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

#include "json_values.hpp"

namespace weft::tool {

/// The requests: JSON values from the command line, a file, or stdin as they come.
class input {
 public:
  /// "@file", "-", or the text itself. INVALID_ARGUMENT when the file cannot be read.
  static result<std::unique_ptr<input>> open(const std::string& what);
  ~input();
  input(const input&) = delete;
  input& operator=(const input&) = delete;

  /// The next value; empty at the end, and when the task is stopped.
  task<std::optional<std::string>> next();

 private:
  // Reads in a thread of the pool's, which cannot be interrupted otherwise.
  class standard_input;

  input() = default;

  json_values values_;
  std::shared_ptr<standard_input> in_;
  std::optional<blocking_pool<std::shared_ptr<standard_input>>> reading_;
};

}  // namespace weft::tool
