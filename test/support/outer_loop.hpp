#pragma once
#include <functional>
#include <memory>
#include <weft/runtime/runtime.hpp>

namespace test {

/// The kinds of loops that drive a pumped runtime: those of samples/embed.
enum class loop_kind { frames, asio, epoll };

/// Somebody's loop around a runtime with `workers = 0` and `wake.fd`. Goes before the runtime.
class outer_loop {
 public:
  virtual ~outer_loop() = default;
  /// Turns until `done()`, which is asked between two turns.
  virtual void run_until(const std::function<bool()>& done) = 0;

  static std::unique_ptr<outer_loop> make(loop_kind kind, weft::runtime& rt);
};

}  // namespace test
