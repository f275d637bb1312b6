#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <weft/rpc/session/frames.hpp>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/status.hpp>

namespace weft::detail {

/// What a batch has, in the order of session.proto. Each function says why the session has to end, or ok.
class batch_parts {
 public:
  virtual status got_attach(const attach_frame& a) = 0;
  virtual status got_window(const session_window& w) = 0;
  virtual status got_forget(std::uint64_t key) = 0;
  virtual status got_call(const call_frame& c) = 0;
  virtual status got_reply(const reply_frame& r) = 0;
  virtual status got_cancel(std::uint64_t id) = 0;
  virtual status got_ping(std::uint64_t number) = 0;
  virtual status got_pong(std::uint64_t number) = 0;
  virtual status got_go_away(std::uint64_t last_id) = 0;

 protected:
  ~batch_parts() = default;
};

/// Takes a batch apart, by hand as batch_writer makes it, in portions, so that what its calls and replies set off can run
/// between them while it is still in the processor's caches. Accepts what protobuf's own parser does, and paths and keys that
/// are not UTF-8, which that refuses: nobody needs them to be. Fields that are not known are skipped.
class batch_reader {
 public:
  /// What was read before is forgotten. The bytes have to stay until it is done; the views that parts get are into them.
  void begin(std::string_view batch) noexcept {
    batch_ = batch;
    next_ = part::first;
  }
  /// Reads on, `most` calls and replies at most, 1 at least. Errors: INVALID_ARGUMENT, naming the part, when the bytes are no
  /// batch; what `parts` says. Nothing further must be read then.
  status read(batch_parts& parts, std::size_t most);
  bool done() const noexcept { return next_ == part::none; }
  /// Once the first portion was read: the replies in the batch, those that are still to be read, and all calls and replies.
  std::size_t replies() const noexcept { return replies_; }
  std::size_t replies_left() const noexcept { return replies_left_; }
  std::size_t frames() const noexcept { return calls_ + replies_; }
  /// Bytes of calls, or of replies, that are still to be read.
  std::size_t left() const noexcept { return batch_.size() - at_; }

 private:
  enum class part : std::uint8_t { first, calls, replies, last, none };

  status read_first(batch_parts& parts);
  std::string_view count_small_frames() noexcept;
  status read_forgets(batch_parts& parts);
  template <class Frame, std::uint32_t Field>
  status read_frames(batch_parts& parts, std::size_t& most);
  status read_last(batch_parts& parts);

  std::string_view batch_;
  std::size_t at_ = 0;  // calls, replies: where the next one may stand
  part next_ = part::none;
  std::size_t calls_ = 0;
  std::size_t replies_ = 0;
  std::size_t replies_left_ = 0;
  bool has_last_ = false;
};

/// A whole batch at once.
status read_batch(std::string_view bytes, batch_parts& parts);

/// The metadata of a frame that `read_batch` has accepted.
metadata read_entries(const entries_view& from);
/// Their bytes as HTTP/2 counts them: 32 for each beside its key and its value.
std::size_t size_of_entries(const entries_view& from);

}  // namespace weft::detail
