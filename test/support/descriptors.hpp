#pragma once
#include <fcntl.h>

#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <weft/runtime/config.hpp>

namespace test {

/// What this process has open, but for the two pipes that ThreadSanitizer has to its symbolizer from when it first needs one.
inline std::set<int> open_descriptors() {
  std::set<int> all;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    if (WEFT_TSAN && std::filesystem::read_symlink(entry, gone).string().starts_with("pipe:")) continue;
    const int fd = std::stoi(entry.path().filename().string());
    if (::fcntl(fd, F_GETFD) != -1) all.insert(fd);
  }
  return all;  // with the iterator's own, always the same one when nothing else has changed
}

}  // namespace test
