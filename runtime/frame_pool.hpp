#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <weft/runtime/config.hpp>
#include <weft/runtime/here.hpp>

namespace weft {

/// Memory for coroutine frames and call blocks: free lists by size class, one pool a worker.
///
/// Allocation takes from the calling worker's pool, or from the heap on other threads, above `largest`, and under
/// sanitizers (a free list would hide use-after-free). A frame freed on another thread returns to the pool it came from
/// through a lock-free stack; a class keeps at most `kept` free frames, the rest goes back to the heap.
class alignas(64) frame_pool {
 public:
  static constexpr std::size_t step = 32;       ///< Bytes between size classes.
  static constexpr std::size_t largest = 2048;  ///< Above this the heap serves.
  static constexpr std::uint32_t kept = 4096;   ///< Free frames kept for each class.

  /// Any thread. Throws std::bad_alloc. Requires: bytes > 0.
  static void* allocate(std::size_t bytes) {
#if WEFT_POOL_FRAMES
    if (auto* pool = on_this_thread.frames; pool != nullptr && bytes <= largest) {
      auto& c = pool->classes_[(bytes - 1) / step];
      if (auto* h = c.free) {
        c.free = h->next;
        --c.count;
        return h + 1;
      }
    }
#endif
    return allocate_slowly(bytes);
  }
  /// Any thread.
  static void deallocate(void* frame) noexcept {
#if WEFT_POOL_FRAMES
    auto* h = static_cast<header*>(frame) - 1;
    // The same pool: only the size class in the low bits is left.
    const auto index = h->origin ^ reinterpret_cast<std::uintptr_t>(on_this_thread.frames);
    if (index < largest / step && h->origin >= alignof(frame_pool)) {
      auto& c = on_this_thread.frames->classes_[index];
      if (c.count < kept) {
        h->next = c.free;
        c.free = h;
        ++c.count;
        return;
      }
    }
#endif
    deallocate_slowly(frame);
  }

  /// The worker's end: frees what is kept; frames still alive keep the pool itself alive.
  struct retire {
    void operator()(frame_pool* pool) const noexcept;
  };
  using owner = std::unique_ptr<frame_pool, retire>;
  static owner make();

 private:
  // Stands before every frame; as large as the alignment that operator new promises. `origin` is the address of the pool,
  // which is aligned, with the size class in its low bits; 0: from the heap.
  struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) header {
    std::uintptr_t origin;
    header* next;  // while free
  };
  struct size_class {
    header* free = nullptr;
    std::uint32_t count = 0;
  };

  static void* allocate_slowly(std::size_t bytes);
  static void deallocate_slowly(void* frame) noexcept;
  void* take(std::size_t bytes);
  void keep(header* frame) noexcept;
  void reclaim(header* list) noexcept;
  static header* retired() noexcept;

  std::array<size_class, largest / step> classes_;
  std::int64_t taken_ = 0;  // from the heap and not given back to it, kept ones included; the owner's view
  // Frames freed elsewhere, newest first; pushed by compare-exchange, taken whole by the owner, so there is no ABA.
  // `retired()` once the worker is gone: whoever frees then frees to the heap.
  alignas(64) std::atomic<header*> returned_{nullptr};
};

/// Base for what is allocated as often as a frame.
struct pooled {
  static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
  static void operator delete(void* p) noexcept { frame_pool::deallocate(p); }
};

}  // namespace weft
