#pragma once
#include <cstddef>
#include <cstdint>
#include <weft/rpc/session/frames.hpp>
#include <weft/runtime/status.hpp>

namespace weft::detail {

/// What a callee takes of its caller: the rules of session.proto for one direction of calls, apart from the stream that
/// carries them. It counts the calls that are out; who they are is its user's to know.
class call_rules {
 public:
  /// `window`: what is taken at once.
  explicit call_rules(const session_window& window) noexcept : window_{window} {}

  /// INVALID_ARGUMENT when it comes twice, FAILED_PRECONDITION when no version is shared.
  status attach(const attach_frame& a);
  bool attached() const noexcept { return attached_; }

  /// Whether the call keeps the rules: id, window, method, path. If it does it is the last one, and what it names is named.
  /// RESOURCE_EXHAUSTED beyond the window, otherwise INVALID_ARGUMENT; nothing has changed then.
  status accept(const call_frame& c);
  /// An accepted call is out, with so many bytes, from `begun` until its answer has left: only then can its caller know of
  /// that, and before it whoever sends calls and reads no answers would have as many answers kept as he likes.
  void begun(std::size_t bytes) noexcept {
    ++calls_;
    bytes_ += bytes;
  }
  void answered(std::size_t bytes, std::size_t calls = 1) noexcept {
    calls_ -= calls;
    bytes_ -= bytes;
  }

  /// The id of the last call that was accepted; 0 when none was.
  std::uint64_t last_id() const noexcept { return last_id_; }

 private:
  const session_window window_;
  bool attached_ = false;
  std::uint64_t last_id_ = 0;
  std::uint64_t methods_ = 0;  // that have been named
  std::size_t calls_ = 0;      // out
  std::size_t bytes_ = 0;
};

}  // namespace weft::detail
