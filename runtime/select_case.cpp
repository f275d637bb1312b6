#include <weft/runtime/select_case.hpp>

namespace weft::detail {

void selection::decided(std::size_t index) noexcept {
  winner_ = index;
  disarm_all_but(index);
  if (children_ == 0) finish();
}

void selection::child_ended(std::size_t index) noexcept {
  --children_;
  if (winner_ == undecided) {
    decided(index);
  } else if (children_ == 0) {
    finish();
  }
}

void selection::on_stop() noexcept {
  if (winner_ == undecided) decided(if_stopped_);
}

}  // namespace weft::detail
