#include <weft/runtime/run_on.hpp>

namespace weft::detail {

void visit_elsewhere::go_home() noexcept {
  if (&here_ == &there_) {
    came_home();
  } else {
    here_.submit(homeward_);
  }
}

void visit_elsewhere::came_home() noexcept {
  home_ = true;
  finish_if_done();
}

void visit_elsewhere::finish_if_done() noexcept {
  if (home_ && !order_.out) finish();
}

void visit_elsewhere::on_stop() noexcept {
  if (&here_ == &there_) {
    stop_task();
    return;
  }
  order_.out = order_.outward = true;
  there_.submit(order_);
}

void visit_elsewhere::order::run() noexcept {
  if (outward) {
    outward = false;
    visit.stop_task();
    visit.here_.submit(*this);
  } else {
    out = false;
    visit.finish_if_done();
  }
}

}  // namespace weft::detail
