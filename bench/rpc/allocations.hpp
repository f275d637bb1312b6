#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::bench {

/// What two processes allocate, each counted in its own half of a file that both map. Nothing is counted unless a process
/// asks for it: what it costs is then an atomic addition an allocation, which a timed round should not pay.
struct allocation_counts {
  std::atomic<std::uint64_t> client;
  std::atomic<std::uint64_t> server;
};

/// From now on every allocation of this process (malloc and its relatives, of all threads and libraries) is counted in
/// `file`, which has the size of `allocation_counts`. Throws std::system_error.
const allocation_counts& count_allocations(const std::string& file,
                                           std::atomic<std::uint64_t> allocation_counts::* side);

}  // namespace weft::bench
