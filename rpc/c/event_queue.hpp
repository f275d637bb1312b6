#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/status.hpp>
#include <weft/weft.h>

namespace weft::c {

/// What the program is to be told.
struct event {
  std::int32_t type = WEFT_EVENT_NONE;
  weft_handle about = 0;
  weft_handle service = 0;
  std::uint64_t user = 0;
  std::int32_t code = WEFT_OK;
  std::string text = {};
  std::string details = {};
  std::string data = {};
  std::string method = {};
  metadata headers = {};
  metadata trailers = {};
  std::string peer = {};
  std::string identity = {};
  std::int64_t time_left_us = -1;
  bool streams = false;
  bool may_have_run = false;
  bool last = false;                       ///< Its handle is closed when it is polled.
  std::function<void()> when_polled = {};  ///< On the polling thread.

  void ended_with(const status& s) {
    code = static_cast<std::int32_t>(s.code());
    text = s.message();
    details = s.details();
  }
};

/// Events on their way to the program. Any thread puts, one takes.
class event_queue {
 public:
  /// Lines of the log that wait at most; further ones are counted, which the next that fits says.
  static constexpr std::size_t most_lines = 1'024;

  event_queue();
  ~event_queue();
  event_queue(const event_queue&) = delete;
  event_queue& operator=(const event_queue&) = delete;

  void put(event e);
  void log(std::int32_t severity, std::string text);

  /// Fills `out`, whose pointers live until the next `take`. False: another thread is here.
  bool take(weft_event& out);
  /// Drops what waits, and what was taken.
  void clear();
  /// Readable while something waits.
  int fd() const noexcept { return fd_; }

 private:
  void push(event e);
  void show(weft_event& out);
  static void show(const metadata& from, std::vector<weft_metadata>& into);

  const int fd_;
  std::mutex mutex_;
  std::deque<event> waiting_;
  std::size_t lines_ = 0;
  std::size_t lines_lost_ = 0;
  std::mutex taking_;
  event taken_;
  std::vector<weft_metadata> headers_;
  std::vector<weft_metadata> trailers_;
};

}  // namespace weft::c
