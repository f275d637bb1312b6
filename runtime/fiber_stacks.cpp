#include <weft/runtime/fiber_stacks.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>
#include <weft/runtime/config.hpp>

#if WEFT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace weft {
namespace {

std::size_t page() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

constexpr std::size_t least_bytes = std::size_t{16} << 10;

}  // namespace

fiber_stack::fiber_stack(std::size_t bytes) : bytes_{bytes} {
  auto* memory = mmap(nullptr, page() + bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc{};
  if (mprotect(memory, page(), PROT_NONE) != 0) {
    munmap(memory, page() + bytes);
    throw std::bad_alloc{};
  }
  bottom_ = static_cast<char*>(memory) + page();
}

fiber_stack::~fiber_stack() {
  if (bottom_ != nullptr) munmap(bottom_ - page(), page() + bytes_);
}

fiber_stacks::fiber_stacks(std::size_t bytes) : bytes_{(std::max(bytes, least_bytes) + page() - 1) / page() * page()} {
  idle_.reserve(most_idle);
}

fiber_stack fiber_stacks::take() {
  if (idle_.empty()) return fiber_stack{bytes_};
  auto last = std::move(idle_.back());
  idle_.pop_back();
  return last;
}

void fiber_stacks::give_back(fiber_stack used) noexcept {
#if WEFT_ASAN
  __asan_unpoison_memory_region(used.bottom(), used.bytes());  // its frames were left, not returned from
#endif
  if (idle_.size() < most_idle) idle_.push_back(std::move(used));
}

}  // namespace weft
