#pragma once
#include <atomic>
#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

/// When a unary call is made again. Of a method that is not declared idempotent (`option idempotency_level = IDEMPOTENT;` or
/// NO_SIDE_EFFECTS in the .proto) only calls that surely did not run: those that never reached a connection, and those of
/// which a weft server says that it refused them. The call's deadline holds for all attempts together.
struct retry_policy {
  /// "/lobby.v1.Chat/Say", "/lobby.v1.Chat/*" or "*"; the first policy that covers a method is its.
  std::string methods = "*";
  int attempts = 3;  ///< In all, the first one too.
  /// Waited before the second attempt; each further one waits `backoff_factor` times as long, at most `most_backoff`. Each
  /// wait is a random part of that, from 80 to 120 %, so that clients do not come back all at once.
  duration first_backoff = std::chrono::milliseconds{50};
  duration most_backoff = std::chrono::seconds{1};
  double backoff_factor = 2;
  std::vector<code> codes = {code::unavailable};

  /// INVALID_ARGUMENT with what makes no sense.
  status check() const;
  bool covers(std::string_view method) const noexcept;
  /// Before attempt `n`, the first retry being 2.
  duration backoff_before(int n, double random) const noexcept;
};

/// Keeps retries from making an overload worse: while about half of a peer's calls fail, none is made again. The token count
/// of gRPC's retry throttling (proposal A6): a failure takes one of ten tokens, a success gives back a tenth, and there are
/// retries while there are more than five. Calls that reached no connection burden nobody, and do not count.
class retry_throttle {
 public:
  void succeeded() noexcept {
    const int tokens = tokens_.load(std::memory_order_relaxed);
    if (tokens < most) tokens_.store(tokens + 1, std::memory_order_relaxed);  // a lost update is no harm
  }
  /// False: no retry.
  bool failed() noexcept {
    const int tokens = tokens_.load(std::memory_order_relaxed) - one;
    tokens_.store(tokens > 0 ? tokens : 0, std::memory_order_relaxed);
    return tokens > most / 2;
  }

 private:
  static constexpr int one = 10, most = 10 * one;  // in tenths
  std::atomic<int> tokens_{most};
};

}  // namespace weft
