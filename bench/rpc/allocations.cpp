#include <weft/bench/rpc/allocations.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace {

constinit std::atomic<std::uint64_t>* counter = nullptr;  // set before the first thread starts

void count_one() noexcept {
  if (counter != nullptr) counter->fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// In place of glibc's, as its manual says ("Replacing malloc"); these are its own, under the names that it keeps.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t number, std::size_t bytes);       // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* old, std::size_t bytes);               // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) noexcept {
  count_one();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) noexcept {
  count_one();
  return __libc_calloc(number, bytes);
}
void* realloc(void* old, std::size_t bytes) noexcept {
  count_one();
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  count_one();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** to, std::size_t alignment, std::size_t bytes) noexcept {
  count_one();
  void* const got = __libc_memalign(alignment, bytes);
  if (got == nullptr) return ENOMEM;
  *to = got;
  return 0;
}
}

namespace weft::bench {

const allocation_counts& count_allocations(const std::string& file,
                                           std::atomic<std::uint64_t> allocation_counts::* side) {
  const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), file};
  void* const mapped = mmap(nullptr, sizeof(allocation_counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  close(fd);
  if (mapped == MAP_FAILED) throw std::system_error{error, std::generic_category(), file};
  auto& counts = *static_cast<allocation_counts*>(mapped);
  counter = &(counts.*side);
  return counts;
}

}  // namespace weft::bench
