#pragma once
#include <weft/runtime/context.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class wait_list;

namespace detail {
template <class Source>
class select_case;  // what select waits for in a queue, an event, ...; a friend of each of them
}

/// A place in a wait_list, and what happens when its turn has come.
class listed {
 public:
  listed(const listed&) = delete;
  listed& operator=(const listed&) = delete;

 protected:
  listed() = default;
  ~listed() = default;
  /// Takes it out of the list it is in, if any.
  void unlist() noexcept;

 private:
  friend wait_list;
  /// It was taken out, and its turn has come. Must not resume anybody inline.
  virtual void woken() noexcept = 0;

  wait_list* list_ = nullptr;
  listed* next_ = nullptr;
  listed* previous_ = nullptr;
};

/// A wait in a list of equals, in order of arrival; stop takes it out.
class listed_wait : public wait, public listed {
 public:
  /// True when the wait ended because the task was stopped.
  bool stopped() const noexcept { return stopped_; }

 protected:
  using wait::wait;
  ~listed_wait() = default;
  void on_stop() noexcept override;

 private:
  friend wait_list;
  void woken() noexcept final { finish(); }

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
  /// Adds `w` at the end. Requires: it is in no list.
  void add(listed& w) noexcept;
  /// The first waiter, still in the list. Null when there is none.
  listed* front() const noexcept { return head_; }
  /// Takes the first waiter out; it is the caller's to complete by `wake`. Null when there is none.
  listed* pop() noexcept;
  static void wake(listed& w) noexcept { w.woken(); }
  void wake_all() noexcept;

 private:
  friend listed;
  void remove(listed& w) noexcept;

  listed* head_ = nullptr;
  listed* tail_ = nullptr;
};

}  // namespace weft
