#pragma once
#include <weft/runtime/context.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class wait_list;

/// A wait in a list of equals, in order of arrival; stop takes it out.
class listed_wait : public wait {
 public:
  /// True when the wait ended because the task was stopped.
  bool stopped() const noexcept { return stopped_; }

 protected:
  using wait::wait;
  ~listed_wait() = default;
  void on_stop() noexcept override;

 private:
  friend wait_list;

  wait_list* list_ = nullptr;
  listed_wait* next_ = nullptr;
  listed_wait* previous_ = nullptr;
  bool stopped_ = false;
};

/// Tasks that wait for the same thing. Belongs to one worker, as everything that uses it does.
class wait_list {
 public:
  wait_list() = default;
  ~wait_list();
  wait_list(const wait_list&) = delete;
  wait_list& operator=(const wait_list&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }
  /// Suspends `h` in `w`, at the end of the list. False, without suspending, when the task was stopped already.
  bool wait_in(listed_wait& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  /// The same whether the task was stopped or not: for a wait that stop does not end.
  void wait_to_the_end_in(listed_wait& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  /// Takes the first waiter out; it is the caller's to complete by `wake`. Null when there is none.
  listed_wait* pop() noexcept;
  static void wake(listed_wait& w) noexcept { w.finish(); }
  void wake_all() noexcept;

 private:
  friend listed_wait;
  void remove(listed_wait& w) noexcept;

  listed_wait* head_ = nullptr;
  listed_wait* tail_ = nullptr;
};

}  // namespace weft
