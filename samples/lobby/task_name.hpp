#pragma once
#include <string>
#include <utility>
#include <weft/runtime/context.hpp>

namespace lobby {

/// What a dump calls a task, as long as this lives, which is in the task's own frame: "player ann" instead of "function".
///
///     auto& task = co_await weft::current();
///     const task_name name{task, "table 7"};
class task_name {
 public:
  task_name(weft::context& task, std::string text) : task_{task}, before_{task.name()} { become(std::move(text)); }
  ~task_name() { task_.rename(before_); }  // the task outlives its frame
  task_name(const task_name&) = delete;
  task_name& operator=(const task_name&) = delete;

  void become(std::string text) {
    text_.swap(text);
    task_.rename(text_.c_str());
  }

 private:
  weft::context& task_;
  const char* before_;
  std::string text_;
};

}  // namespace lobby
