#include <weft/test/seeded_order.hpp>
#include <cstdio>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/work.hpp>

namespace weft::test {

std::size_t seeded_order::choose(std::size_t n) noexcept { return seed_ == 0 || n == 1 ? 0 : random_.below(n); }

int seeded_order::turn(int most) noexcept {
  if (seed_ == 0 || random_.one_in(2)) return most;
  return 1 + static_cast<int>(random_.below(random_.one_in(2) ? 2 : static_cast<std::uint64_t>(most)));
}

void seeded_order::runs(const strand& where, const work& next) noexcept {
  if (!trace_) return;
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time_.now() - start_).count();
  char at[32];
  std::snprintf(at, sizeof at, "%lld.%03lld ms ", static_cast<long long>(us / 1000), static_cast<long long>(us % 1000));
  const auto label = next.label();
  text_ += at;
  text_ += where.name();
  text_ += ": ";
  if (*label.whose != '\0') {
    text_ += label.whose;
    text_ += ' ';
  }
  text_ += label.what;
  text_ += '\n';
}

}  // namespace weft::test
