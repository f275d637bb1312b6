#pragma once
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/runtime.hpp>

namespace weft {

namespace detail {

/// Whether a root may be started on `home` now; while it lives the runtime does not end.
class admission {
 public:
  explicit admission(strand& home) noexcept;
  ~admission();
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;

  bool open() const noexcept { return open_; }

 private:
  newcomers* way_in_ = nullptr;  // null on the runtime's own workers: what they start is awaited anyhow
  bool open_ = true;
};

void report_escaped(const context& ctx, const char* task_name, const std::exception_ptr& e) noexcept;

class detached final : public child<void>, public pooled {
 public:
  using child<void>::child;

 private:
  void ended() noexcept override {
    if (outcome.threw()) report_escaped(own_context(), own_context().name(), outcome.exception());
    delete this;
  }
};

}  // namespace detail

/// Starts `f(args...)` as a root task on `home`: it belongs to the runtime, whose end stops and awaits it. Any thread.
///
/// For what lives as long as the program; everything else belongs into a scope. Copies what it is given. An exception
/// that escapes is logged. False when the runtime has ended: nothing was started.
template <class F, class... Args>
bool spawn(strand& home, const char* name, F f, Args... args) {
  detail::admission way_in{home};
  if (!way_in.open()) return false;
  auto root = std::make_unique<detail::detached>(home, nullptr, name);
  auto t = invoke_owned(std::move(f), std::move(args)...);
  if (!root->start(std::move(t))) return false;
  static_cast<void>(root.release());  // deletes itself when it has ended
  return true;
}

}  // namespace weft
