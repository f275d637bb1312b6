#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <weft/runtime/config.hpp>

/// protobuf's wire format, as batch_reader and batch_writer need it
/// (https://protobuf.dev/programming-guides/encoding/).
namespace weft::detail::protobuf_wire {

inline constexpr int most_of_length = 5;  ///< Bytes, and of a tag: protobuf reads no further.
inline constexpr int most_of_number = 10;

enum wire_type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, group = 3, group_end = 4, fixed32 = 5 };

/// Of one byte, since the numbers of all fields of session.proto are below 16.
constexpr std::uint8_t tag(unsigned field, wire_type type) noexcept {
  return static_cast<std::uint8_t>(field << 3U | type);
}

/// A frame as batch_writer makes most: its length has one byte. Returns where the next one may stand; null when it is another.
inline const char* small_frame(const char* at, const char* end, std::uint8_t tag, std::string_view& frame) noexcept {
  if (end - at < 2 || static_cast<std::uint8_t>(*at) != tag) return nullptr;
  const auto length = static_cast<std::uint8_t>(at[1]);
  if (length >= 0x80 || length > end - at - 2) return nullptr;
  frame = {at + 2, length};
  return at + 2 + length;
}

/// Returns where the number ends; null when that is not within so many bytes, or only beyond the end.
WEFT_NOINLINE inline const char* read_bytewise(const char* at, const char* end, std::uint64_t& value,
                                               unsigned most_bytes) noexcept {
  value = 0;
  for (unsigned shift = 0; shift < 7 * most_bytes && at != end; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*at++);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;  // bits beyond 64 are dropped, as protobuf does
    if (byte < 0x80) return at;
  }
  return nullptr;
}

/// The fields of a message, one after the other. Once it has failed it stays at its end.
class fields {
 public:
  /// `depth`: messages around this one.
  fields(std::string_view message, int depth) noexcept
      : at_{message.data()}, end_{message.data() + message.size()}, depth_{depth} {}

  /// False at the end, and when what follows is no field.
  bool next() noexcept {
    if (at_ == end_) return false;
    std::uint64_t tag = 0;
    if (!read_varint(tag, most_of_length)) return fail();
    field_ = static_cast<std::uint32_t>(tag) >> 3U;  // bits beyond 32 are dropped, as protobuf does
    type_ = static_cast<wire_type>(tag & 7U);
    if (field_ == 0) return fail();
    if (type_ == bytes) {
      std::uint64_t length = 0;
      if (!read_varint(length, most_of_length) || length > static_cast<std::uint64_t>(end_ - at_)) return fail();
      return take(length);
    }
    return type_ == varint ? read_varint(number_) || fail() : next_rare();
  }
  bool failed() const noexcept { return failed_; }
  std::uint32_t field() const noexcept { return field_; }
  bool is_number() const noexcept { return type_ == varint; }
  bool is_bytes() const noexcept { return type_ == bytes; }
  std::uint64_t number() const noexcept { return number_; }
  std::string_view text() const noexcept { return text_; }

  bool read_varint(std::uint64_t& value, unsigned most_bytes = most_of_number) noexcept {
    // Nearly all have one byte.
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      value = static_cast<std::uint8_t>(*at_++);
      return true;
    }
    const auto* const behind = read_bytewise(at_, end_, value, most_bytes);
    if (behind != nullptr) at_ = behind;
    return behind != nullptr;
  }
  bool at_end() const noexcept { return at_ == end_; }
  const char* at() const noexcept { return at_; }

 private:
  static constexpr int deepest = 100;  // protobuf's limit of messages and groups within each other

  WEFT_NOINLINE bool next_rare() noexcept {
    switch (type_) {
      case fixed64: return end_ - at_ >= 8 ? take(8) : fail();
      case fixed32: return end_ - at_ >= 4 ? take(4) : fail();
      case group: return skip_group();
      case group_end: return groups_ != 0 || fail();
      default: return fail();
    }
  }
  // No field of ours is a group, but one that is not known may be. Ends behind it.
  bool skip_group() noexcept {
    const auto opened = field_;
    if (depth_ + ++groups_ > deepest) return fail();
    while (next()) {
      if (type_ != group_end) continue;
      if (field_ != opened) return fail();
      --groups_;
      type_ = group;  // which is nothing that anybody reads
      return true;
    }
    return fail();
  }
  bool take(std::uint64_t n) noexcept {
    text_ = {at_, static_cast<std::size_t>(n)};
    at_ += n;
    return true;
  }
  bool fail() noexcept {
    failed_ = true;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  std::uint64_t number_ = 0;
  std::string_view text_;
  std::uint32_t field_ = 0;
  wire_type type_ = varint;
  bool failed_ = false;
  int depth_;
  int groups_ = 0;
};

/// The fields of a frame as batch_writer makes most: in the order of their numbers, with tags of one byte. What is rarer,
/// `fields` reads. Each function says false when it is not that simple, and takes a field that is not there as zero or empty.
/// The frame is part of a batch, of which bytes may be loaded up to `readable`.
class quick_fields {
 public:
  quick_fields(std::string_view frame, const char* readable) noexcept
      : at_{frame.data()}, end_{at_ + frame.size()}, readable_{readable} {}

  bool at_end() const noexcept { return at_ == end_; }
  bool read(unsigned field, std::uint64_t& number) noexcept { return !skip(tag(field, varint)) || read_varint(number); }
  [[gnu::always_inline]] bool read(unsigned field, std::string_view& text) noexcept {
    std::uint64_t length = 0;
    if (!skip(tag(field, bytes))) return true;
    const auto* const digits = at_;
    if (!read_varint(length) || length > static_cast<std::uint64_t>(end_ - at_) || at_ - digits > most_of_length) {
      return false;
    }
    text = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

 private:
  bool skip(std::uint8_t tag) noexcept {
    if (at_ == end_ || static_cast<std::uint8_t>(*at_) != tag) return false;
    ++at_;
    return true;
  }
  [[gnu::always_inline]] bool read_varint(std::uint64_t& number) noexcept {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      number = static_cast<std::uint8_t>(*at_++);
      return true;
    }
    if (std::endian::native != std::endian::little || readable_ - at_ < 8) {
      const auto* const behind = read_bytewise(at_, end_, number, most_of_number);
      if (behind != nullptr) at_ = behind;
      return behind != nullptr;
    }
    // Up to eight bytes at once: the groups of seven bits are moved together, two, then four, then all.
    std::uint64_t word = 0;
    std::memcpy(&word, at_, 8);
    const auto ends = ~word & 0x8080'8080'8080'8080U;
    if (ends == 0) return false;
    const auto length = std::countr_zero(ends) / 8 + 1;
    if (length > end_ - at_) return false;
    at_ += length;
    word &= ends ^ (ends - 1);
    word = (word & 0x007f'007f'007f'007fU) | (word & 0x7f00'7f00'7f00'7f00U) >> 1U;
    word = (word & 0x0000'3fff'0000'3fffU) | (word & 0x3fff'0000'3fff'0000U) >> 2U;
    number = (word & 0x0000'0000'0fff'ffffU) | (word & 0x0fff'ffff'0000'0000U) >> 4U;
    return true;
  }

  const char* at_;
  const char* const end_;
  const char* const readable_;
};

}  // namespace weft::detail::protobuf_wire
