#include <weft/runtime/spawn.hpp>

namespace weft::detail {

void report_escaped(worker& home, const char* task_name, const std::exception_ptr& e) noexcept {
  std::string line = std::string{"an exception escaped from task '"} + task_name + "': ";
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& error) {
    line += error.what();
  } catch (...) {
    line += "not a std::exception";
  }
  home.owner().log(line);
}

}  // namespace weft::detail
