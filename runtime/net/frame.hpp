#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <weft/runtime/status.hpp>

namespace weft {

/// A frame is the length of a message, 4 bytes, big-endian, and then the message. Length 0 is an empty message.
inline constexpr std::size_t frame_header_size = 4;

using frame_header = std::array<char, frame_header_size>;

/// Requires: length < 2^32.
frame_header make_frame_header(std::size_t length) noexcept;

/// Appends the frame of `message` to `out`.
void encode_frame(std::string_view message, std::string& out);

/// What a message is refused with that is longer than it may be: INVALID_ARGUMENT, naming both numbers.
status frame_too_long(std::size_t length, std::size_t max_frame);

/// Cuts a stream of bytes, which comes in slices of any size, into messages.
///
/// The memory for a message grows with the bytes that have come, not with the length that was announced.
class frame_decoder {
 public:
  explicit frame_decoder(std::size_t max_frame) noexcept : max_frame_{max_frame} {}

  /// Consumes the front of `input` up to the end of the next message and returns that. Empty when all of `input` was
  /// consumed without completing one, or when the stream is refused: then `error` says why, and goes on to say so.
  std::optional<std::string> next(std::string_view& input);

  /// INVALID_ARGUMENT once a length above `max_frame` has come.
  const status& error() const noexcept { return error_; }

  /// True between the first byte of a frame and its last.
  bool in_frame() const noexcept { return header_bytes_ != 0; }

 private:
  std::size_t max_frame_;
  std::size_t length_ = 0;
  std::size_t header_bytes_ = 0;
  frame_header header_{};
  std::string message_;
  status error_;
};

}  // namespace weft
