#include <weft/bench/rpc/executions.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace weft::bench {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

}  // namespace

executions::executions(std::size_t calls)
    : file_{(std::filesystem::temp_directory_path() / "weft-bench-executions-XXXXXX").string()},
      calls_{calls},
      owner_{true} {
  const int made = mkostemp(file_.data(), O_CLOEXEC);
  if (made < 0) fail("make a file of executions");
  if (ftruncate(made, static_cast<off_t>(calls)) != 0) fail("size a file of executions");
  map(made);
}

executions::executions(std::string file, std::size_t calls) : file_{std::move(file)}, calls_{calls}, owner_{false} {
  const int there = open(file_.c_str(), O_RDWR | O_CLOEXEC);
  if (there < 0) fail("open a file of executions");
  map(there);
}

executions::~executions() {
  munmap(counts_, calls_);
  if (owner_) std::filesystem::remove(file_);
}

void executions::map(int descriptor) {
  auto* at = mmap(nullptr, calls_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (at == MAP_FAILED) fail("map a file of executions");
  counts_ = static_cast<std::uint8_t*>(at);
}

}  // namespace weft::bench
