#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <weft/rpc/session/frames.hpp>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/status.hpp>

namespace weft::detail {

/// Bytes that grow, not initialised.
class raw_bytes {
 public:
  const std::uint8_t* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  void clear() noexcept { size_ = 0; }
  /// Where `n` more bytes go.
  std::uint8_t* grow(std::size_t n) {
    auto* at = room(n);
    size_ += n;
    return at;
  }
  /// Where `n` more bytes may go, of which none is there yet.
  std::uint8_t* room(std::size_t n) {
    if (size_ + n > capacity_) reserve(size_ + n);
    return bytes_.get() + size_;
  }

 private:
  void reserve(std::size_t needed);

  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// What of the other side's a batch answers.
struct answer_count {
  std::size_t calls = 0;
  std::size_t bytes = 0;  ///< Of the calls' requests.
  std::size_t pings = 0;
};

/// What waits to be written to a session's stream, encoded as it comes: batches as session.proto has them, by hand, since
/// the bytes of a small call are a good part of its price. What is added goes into the newest batch until that has
/// `batch_target` bytes; a larger frame has a batch of its own.
class batch_writer {
 public:
  static constexpr std::size_t batch_target = 64U << 10U;

  bool empty() const noexcept { return open_.empty() && full_.empty(); }
  /// Bytes that wait.
  std::size_t waiting() const noexcept { return waiting_; }
  /// The oldest batch, which is the caller's then, and what it answers. Requires: not empty.
  raw_bytes next(answer_count& answers);
  raw_bytes next() {
    answer_count ignored;
    return next(ignored);
  }
  /// Gives memory back, to be used again.
  void reuse(raw_bytes done) noexcept;

  void attach(const attach_frame& a);
  /// `sent` may be null. Their bytes together are those of `size_of`.
  void call(const call_frame& c, const metadata* sent);
  static std::size_t size_of(const call_frame& c, const metadata* sent) noexcept;
  /// Returns where the message goes, of `bytes` bytes. The metadata may be null.
  std::uint8_t* reply(std::uint64_t id, std::size_t bytes, const metadata* headers, const metadata* trailers);
  static std::size_t size_of_reply(std::uint64_t id, std::size_t bytes, const metadata* headers,
                                   const metadata* trailers) noexcept;
  void error(std::uint64_t id, const status& why, bool not_run, const metadata* headers, const metadata* trailers);
  static std::size_t size_of_error(std::uint64_t id, const status& why, bool not_run, const metadata* headers,
                                   const metadata* trailers) noexcept;
  /// What was added last answers a call, of a request with so many bytes.
  void answers_call(std::size_t bytes) noexcept {
    ++open_answers_.calls;
    open_answers_.bytes += bytes;
  }
  void cancel(std::uint64_t id);
  void window(const session_window& w);
  void ping(std::uint64_t number);
  void pong(std::uint64_t number);
  void go_away(std::uint64_t last_id);
  void forget(std::uint64_t key);

 private:
  void make_room(std::size_t bytes);
  void close_open();
  std::uint8_t* add(std::size_t bytes);
  void small_call(const call_frame& c);
  std::uint8_t* small_reply(std::uint64_t id, std::size_t bytes);
  void number(std::uint8_t tag, std::uint64_t value);
  void packed_number(std::uint8_t tag, std::uint64_t value);

  struct batch {
    raw_bytes bytes;
    answer_count answers;
  };
  raw_bytes open_;
  answer_count open_answers_;
  raw_bytes spare_;
  std::deque<batch> full_;
  std::size_t waiting_ = 0;
};

}  // namespace weft::detail
