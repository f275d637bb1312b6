#pragma once
#include <cstddef>
#include <utility>
#include <weft/rpc/session/session_item.hpp>

namespace weft::detail {

/// Calls that wait, oldest first; any of them can be taken out.
class item_list {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  session_item& front() noexcept { return *head_; }
  session_item& back() noexcept { return *tail_; }

  void push_back(session_item& item) noexcept { insert(item, tail_, nullptr); }
  void push_front(session_item& item) noexcept { insert(item, nullptr, head_); }
  void remove(session_item& item) noexcept {
    (item.previous != nullptr ? item.previous->next : head_) = item.next;
    (item.next != nullptr ? item.next->previous : tail_) = item.previous;
    item.next = item.previous = nullptr;
    --size_;
  }
  session_item& pop_front() noexcept {
    auto& first = *head_;
    remove(first);
    return first;
  }

 private:
  void insert(session_item& item, session_item* before, session_item* after) noexcept {
    item.previous = before;
    item.next = after;
    (before != nullptr ? before->next : head_) = &item;
    (after != nullptr ? after->previous : tail_) = &item;
    ++size_;
  }

  session_item* head_ = nullptr;
  session_item* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weft::detail
