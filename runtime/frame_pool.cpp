#include <weft/runtime/frame_pool.hpp>

#include <cstdlib>
#include <new>
#include <weft/runtime/config.hpp>

namespace weft {

namespace {

void* heap(std::size_t bytes) {
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc{};
}

}  // namespace

frame_pool::owner frame_pool::make() { return owner{new frame_pool}; }

frame_pool::header* frame_pool::retired() noexcept { return reinterpret_cast<header*>(std::uintptr_t{1}); }

#if WEFT_POOL_FRAMES

void* frame_pool::allocate_slowly(std::size_t bytes) {
  if (on_this_thread.frames != nullptr && bytes <= largest) return on_this_thread.frames->take(bytes);
  auto* h = static_cast<header*>(heap(sizeof(header) + bytes));
  h->origin = 0;
  return h + 1;
}

void frame_pool::deallocate_slowly(void* frame) noexcept {
  auto* h = static_cast<header*>(frame) - 1;
  if (h->origin == 0) return std::free(h);
  auto* pool = reinterpret_cast<frame_pool*>(h->origin & ~(std::uintptr_t{alignof(frame_pool)} - 1));
  if (on_this_thread.frames == pool) return pool->keep(h);
  auto* head = pool->returned_.load(std::memory_order_relaxed);
  do {
    if (head == retired()) return std::free(h);
    h->next = head;
  } while (!pool->returned_.compare_exchange_weak(head, h, std::memory_order_release, std::memory_order_relaxed));
}

#else

void* frame_pool::allocate_slowly(std::size_t bytes) { return heap(bytes); }
void frame_pool::deallocate_slowly(void* frame) noexcept { std::free(frame); }

#endif

void* frame_pool::take(std::size_t bytes) {
  static_assert(largest / step <= alignof(frame_pool), "the size class has to fit into the address's low bits");
  const auto index = bytes == 0 ? 0 : (bytes - 1) / step;
  auto& c = classes_[index];
  if (c.free == nullptr) reclaim(returned_.exchange(nullptr, std::memory_order_acquire));
  if (auto* h = c.free) {
    c.free = h->next;
    --c.count;
    return h + 1;
  }
  auto* h = static_cast<header*>(heap(sizeof(header) + (index + 1) * step));
  h->origin = reinterpret_cast<std::uintptr_t>(this) | index;
  ++taken_;
  return h + 1;
}

void frame_pool::keep(header* h) noexcept {
  auto& c = classes_[h->origin & (alignof(frame_pool) - 1)];
  if (c.count >= kept) {
    --taken_;
    return std::free(h);
  }
  h->next = c.free;
  c.free = h;
  ++c.count;
}

void frame_pool::reclaim(header* list) noexcept {
  while (list != nullptr) {
    auto* next = list->next;
    keep(list);
    list = next;
  }
}

void frame_pool::retire::operator()(frame_pool* pool) const noexcept {
  pool->reclaim(pool->returned_.exchange(retired(), std::memory_order_acquire));
  for (auto& c : pool->classes_) {
    while (auto* h = c.free) {
      c.free = h->next;
      --pool->taken_;
      std::free(h);
    }
  }
  // A frame that is still alive will ask this pool where to go: such a pool is never deleted.
  if (pool->taken_ == 0) delete pool;
}

}  // namespace weft
