#include <weft/runtime/spawn.hpp>

#include <weft/runtime/log.hpp>

namespace weft::detail {

admission::admission(strand& home) noexcept {
  auto& owner = home.home().owner();
  const auto* here = worker::current();
  if (here != nullptr && &here->owner() == &owner) return;
  open_ = owner.newcomers().enter();
  if (open_) way_in_ = &owner.newcomers();
}

admission::~admission() {
  if (way_in_ != nullptr) way_in_->leave();
}

void report_escaped(const context& ctx, const char* task_name, const std::exception_ptr& e) noexcept {
  std::string line = std::string{"an exception escaped from task '"} + task_name + "': ";
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& error) {
    line += error.what();
  } catch (...) {
    line += "not a std::exception";
  }
  log(ctx, severity::error, line);
}

}  // namespace weft::detail
