#include <weft/runtime/wait_list.hpp>

#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>

namespace weft {

void listed::unlist() noexcept {
  if (list_ != nullptr) list_->remove(*this);
}

void listed_wait::on_stop() noexcept {
  unlist();
  stopped_ = true;
  finish();
}

wait_list::~wait_list() {
  if (head_ != nullptr) misuse("an event, queue or mutex was destroyed while a task waits in it: end the task first");
}

bool wait_list::wait_in(listed_wait& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (ctx.stopped()) {
    w.stopped_ = true;
    return false;
  }
  wait_to_the_end_in(w, h, ctx, where);
  return true;
}

void wait_list::wait_to_the_end_in(listed_wait& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  add(w);
  w.suspend(h, ctx, where);
}

void wait_list::add(listed& w) noexcept {
  w.list_ = this;
  w.next_ = nullptr;
  w.previous_ = tail_;
  (tail_ != nullptr ? tail_->next_ : head_) = &w;
  tail_ = &w;
}

void wait_list::remove(listed& w) noexcept {
  (w.previous_ != nullptr ? w.previous_->next_ : head_) = w.next_;
  (w.next_ != nullptr ? w.next_->previous_ : tail_) = w.previous_;
  w.next_ = w.previous_ = nullptr;
  w.list_ = nullptr;
}

listed* wait_list::pop() noexcept {
  auto* first = head_;
  if (first != nullptr) remove(*first);
  return first;
}

void wait_list::wake_all() noexcept {
  while (auto* w = pop()) wake(*w);
}

}  // namespace weft
