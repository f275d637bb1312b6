#pragma once
#include <weft/runtime/here.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/strand.hpp>

namespace weft::test {

namespace detail {

// Marks the calling thread as running on `s`.
class on_strand {
 public:
  explicit on_strand(strand& s) noexcept;
  ~on_strand() { on_this_thread = outer_; }
  on_strand(const on_strand&) = delete;
  on_strand& operator=(const on_strand&) = delete;

 private:
  here_state outer_;
};

}  // namespace detail

/// Runs `f()` on the strand, here and now, between two entries, and returns its value: `peek(t, [&] { return t.turn(); })`.
///
/// Nothing else runs and no time passes; what `f` starts or sets runs later. From the test's own thread or from a task of the
/// world. For runtimes without threads: with threads it is a misuse, call the service instead.
template <class F>
auto peek(strand& s, F f) {
  const detail::on_strand here{s};
  return f();
}
template <class F>
auto peek(const service& s, F f) {
  return peek(s.strand(), std::move(f));
}

}  // namespace weft::test
