#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weft {

/// Memory for coroutine frames and call blocks: free lists by size class, one pool a worker.
///
/// Allocation takes from the calling worker's pool, or from the heap on other threads, above `largest`, and under
/// sanitizers (a free list would hide use-after-free). A frame freed on another thread returns to the pool it came from
/// through a lock-free stack; a class keeps at most `kept` free frames, the rest goes back to the heap.
class alignas(64) frame_pool {
 public:
  static constexpr std::size_t step = 64;       ///< Bytes between size classes.
  static constexpr std::size_t largest = 2048;  ///< Above this the heap serves.
  static constexpr std::uint32_t kept = 4096;   ///< Free frames kept for each class.

  /// Any thread. Throws std::bad_alloc.
  static void* allocate(std::size_t bytes);
  /// Any thread.
  static void deallocate(void* frame) noexcept;

  /// The worker's end: frees what is kept; frames still alive keep the pool itself alive.
  struct retire {
    void operator()(frame_pool* pool) const noexcept;
  };
  using owner = std::unique_ptr<frame_pool, retire>;
  static owner make();

 private:
  struct header;
  struct size_class {
    header* free = nullptr;
    std::uint32_t count = 0;
  };

  void* take(std::size_t bytes);
  void keep(header* frame) noexcept;
  void reclaim(header* list) noexcept;
  static header* retired() noexcept;

  std::array<size_class, largest / step> classes_;
  std::int64_t live_ = 0;  // frames handed out and not yet back; the owner's view
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
