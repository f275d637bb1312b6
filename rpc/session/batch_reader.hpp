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

/// Takes a batch apart, by hand as batch_writer makes it; accepts what protobuf's own parser does, and paths and keys that are
/// not UTF-8, which that refuses: nobody needs them to be. Fields that are not known are skipped. Errors: INVALID_ARGUMENT, naming the field, when the bytes are no batch; what `parts` says, and then nothing
/// further is read. The views that `parts` gets are into `bytes`.
status read_batch(std::string_view bytes, batch_parts& parts);

/// The metadata of a frame that `read_batch` has accepted.
metadata read_entries(const entries_view& from);
/// Their bytes as HTTP/2 counts them: 32 for each beside its key and its value.
std::size_t size_of_entries(const entries_view& from);

}  // namespace weft::detail
