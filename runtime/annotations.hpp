#pragma once
#include <atomic>
#include <string>
#include <utility>

namespace weft {

/// What is known about a task, for the log: an immutable list, newest first, of which tasks of all workers share the tails.
/// One pointer, null where nothing was said.
class annotations {
 public:
  struct node {
    const char* key;
    std::string value;
    node* older;
    std::atomic<int> references{1};

    node(const char* k, std::string v, node* o) : key{k}, value{std::move(v)}, older{o} {}
  };

  annotations() noexcept = default;
  annotations(const annotations& other) noexcept : newest_{other.newest_} {
    if (newest_ != nullptr) newest_->references.fetch_add(1, std::memory_order_relaxed);
  }
  annotations(annotations&& other) noexcept : newest_{std::exchange(other.newest_, nullptr)} {}
  annotations& operator=(annotations other) noexcept {
    std::swap(newest_, other.newest_);
    return *this;
  }
  ~annotations() {
    if (newest_ != nullptr) release();
  }

  bool empty() const noexcept { return newest_ == nullptr; }
  void add(const char* key, std::string value) { newest_ = new node{key, std::move(value), newest_}; }
  const node* newest() const noexcept { return newest_; }

 private:
  void release() noexcept;

  node* newest_ = nullptr;
};

}  // namespace weft
