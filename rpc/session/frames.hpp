#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

// The parts of a batch, see proto/weft/session/v1/session.proto. Views are into the batch they were read from.

/// Metadata as they stand on the wire: the fields of a frame, of which those of one number are entries.
struct entries_view {
  std::string_view frame;
  std::uint32_t field = 0;
  bool any = false;
};

struct session_window {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;
};

/// What is taken until the other side has said how much it takes.
inline constexpr session_window first_window{64, 65'536};
inline constexpr const char* attach_path = "/weft.session.v1.Session/Attach";
inline constexpr std::uint32_t session_version = 1;
inline constexpr std::uint64_t default_batch_bytes = 4U << 20U;
/// Methods that may be named on one stream.
inline constexpr std::uint32_t most_methods = 4'096;
/// Bytes of a method's path.
inline constexpr std::size_t most_of_path = 1'024;
/// Pings of which the answer has not left.
inline constexpr std::size_t most_pings = 64;
/// Keys without gaps that stand still, of one stream.
inline constexpr std::size_t most_stopped_keys = 65'536;

struct attach_frame {
  std::uint64_t oldest_version = 0;
  std::uint64_t newest_version = 0;
  session_window window;
  std::uint64_t batch_bytes = 0;
};

struct call_frame {
  std::uint64_t id = 0;
  std::uint64_t method = 0;
  std::string_view path;
  std::string_view request;
  std::uint64_t limit_us = 0;
  std::uint64_t key = 0;
  bool gapless = false;
  entries_view metadata;
};

struct reply_frame {
  std::uint64_t id = 0;
  std::uint64_t code = 0;
  std::string_view reply;
  std::string_view message;
  std::string_view details;
  bool not_run = false;
  entries_view headers;
  entries_view trailers;
};

}  // namespace weft::detail
