#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <weft/runtime/context.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

enum class severity : std::uint8_t { info, warning, error };

std::string_view to_string(severity s) noexcept;

struct log_field {
  std::string_view key;
  std::string_view value;
};

/// One line for the log. Its text and fields last as long as the call that hands it over.
struct log_record {
  severity level = severity::info;
  std::string_view text;
  std::span<const log_field> fields{};

  /// So that what takes a string_view is a logger too: it gets the text without the fields.
  operator std::string_view() const noexcept { return text; }
};

/// An embedder's own logger: `[](const weft::log_record& r) {...}`, or `[](std::string_view text) {...}`. Called on any
/// thread, on several at a time, on workers too: it locks what it needs, soon returns, and does not throw.
using log_sink = std::function<void(const log_record&)>;

/// "W a task threw player=7 strand=lobby": values with spaces, quotes or "=" are quoted.
std::string to_string(const log_record& r);

/// "2026-02-03T04:05:06.789Z weft: " and the record, one write to stderr. What a runtime without a sink does.
void log_to_stderr(const log_record& r) noexcept;

/// Logs on behalf of a task: its annotations, the method whose handler it is part of (call) and its strand go along. On its
/// strand. Allocates.
///
///     weft::log(co_await weft::current(), weft::severity::warning, "two seats for one player");
void log(const context& ctx, severity level, std::string_view text) noexcept;

/// `co_await weft::annotate("player", id)`: from here on the log lines of this task, and its lines in dumps, carry that
/// field. So do the tasks that it starts and the handlers that it calls from now on, on other workers of this process too;
/// a key that is said again replaces the one before. In the body of a scope it holds for all of the scope. Never suspends;
/// one allocation for each task that says something, none for others. `key` has to live as long as the runtime: a literal.
class [[nodiscard]] annotate {
 public:
  annotate(const char* key, std::string value) noexcept : key_{key}, value_{std::move(value)} {}
  template <std::integral N>
  annotate(const char* key, N value) : annotate{key, std::to_string(value)} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  bool await_suspend(std::coroutine_handle<P> h) {
    h.promise().ctx().annotate(key_, std::move(value_));
    return false;
  }
  void await_resume() const noexcept {}

 private:
  const char* key_;
  std::string value_;
};

}  // namespace weft
