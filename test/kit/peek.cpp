#include <weft/test/peek.hpp>
#include <string>
#include <utility>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::test::detail {

on_strand::on_strand(strand& s) noexcept {
  auto& home = s.home();
  if (home.threaded()) {
    misuse(std::string{"weft::test::peek at strand '"} + s.name() + "', which has a thread: call the service instead");
  }
  outer_ = std::exchange(on_this_thread, {&home, &s, &home.frames()});
  home.read_clock();
}

}  // namespace weft::test::detail
