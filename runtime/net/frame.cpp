#include <weft/runtime/net/frame.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace weft {
namespace {

// A longer message gets its memory as it comes in: an announcement alone costs the receiver no more than this.
constexpr std::size_t reserve_at_most = 4'096;

std::size_t length_in(const frame_header& header) noexcept {
  std::uint32_t length = 0;
  for (const char c : header) length = length << 8 | static_cast<unsigned char>(c);
  return length;
}

}  // namespace

frame_header make_frame_header(std::size_t length) noexcept {
  return {static_cast<char>(length >> 24 & 0xff), static_cast<char>(length >> 16 & 0xff),
          static_cast<char>(length >> 8 & 0xff), static_cast<char>(length & 0xff)};
}

void encode_frame(std::string_view message, std::string& out) {
  const auto header = make_frame_header(message.size());
  out.append(header.data(), header.size());
  out.append(message);
}

status frame_too_long(std::size_t length, std::size_t max_frame) {
  return invalid_argument("a message of " + std::to_string(length) + " bytes is longer than max_frame, " +
                          std::to_string(max_frame) + " bytes");
}

std::optional<std::string> frame_decoder::next(std::string_view& input) {
  if (!error_.ok()) return std::nullopt;
  if (header_bytes_ < frame_header_size) {
    const auto n = std::min(frame_header_size - header_bytes_, input.size());
    input.copy(header_.data() + header_bytes_, n);
    input.remove_prefix(n);
    header_bytes_ += n;
    if (header_bytes_ < frame_header_size) return std::nullopt;
    length_ = length_in(header_);
    if (length_ > max_frame_) {
      error_ = frame_too_long(length_, max_frame_);
      return std::nullopt;
    }
    message_.reserve(std::min(length_, reserve_at_most));
  }
  const auto n = std::min(length_ - message_.size(), input.size());
  message_.append(input.substr(0, n));
  input.remove_prefix(n);
  if (message_.size() < length_) return std::nullopt;
  header_bytes_ = 0;
  return std::exchange(message_, {});
}

}  // namespace weft
