#include <weft/rpc/c/event_queue.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>
#include <weft/rpc/c/handles.hpp>

namespace weft::c {

event_queue::event_queue() : fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
}
event_queue::~event_queue() { close(fd_); }

void event_queue::push(event e) {
  waiting_.push_back(std::move(e));
  if (waiting_.size() == 1) eventfd_write(fd_, 1);
}

void event_queue::put(event e) {
  const std::lock_guard lock{mutex_};
  push(std::move(e));
}

void event_queue::log(std::int32_t severity, std::string text) {
  const std::lock_guard lock{mutex_};
  if (lines_ == most_lines) {
    ++lines_lost_;
    return;
  }
  if (const auto lost = std::exchange(lines_lost_, 0); lost != 0) {
    text = std::to_string(lost) + " lines of the log were lost before: " + text;
  }
  ++lines_;
  event line;
  line.type = WEFT_EVENT_LOG;
  line.code = severity;
  line.text = std::move(text);
  push(std::move(line));
}

bool event_queue::take(weft_event& out) {
  const std::unique_lock one{taking_, std::try_to_lock};
  if (!one) return false;
  taken_ = {};
  {
    const std::lock_guard lock{mutex_};
    if (!waiting_.empty()) {
      taken_ = std::move(waiting_.front());
      waiting_.pop_front();
      if (taken_.type == WEFT_EVENT_LOG) --lines_;
      eventfd_t value = 0;
      if (waiting_.empty()) eventfd_read(fd_, &value);
    }
  }
  if (taken_.when_polled) std::exchange(taken_.when_polled, nullptr)();
  if (taken_.last) handles::all().remove(taken_.about);
  show(out);
  return true;
}

void event_queue::clear() {
  std::deque<event> dropped;
  const std::lock_guard one{taking_};
  taken_ = {};
  const std::lock_guard lock{mutex_};
  dropped.swap(waiting_);
}

void event_queue::show(const metadata& from, std::vector<weft_metadata>& into) {
  into.clear();
  for (const auto& [key, value] : from) into.push_back({key.c_str(), value.c_str(), value.size()});
}

void event_queue::show(weft_event& out) {
  show(taken_.headers, headers_);
  show(taken_.trailers, trailers_);
  out.type = taken_.type;
  out.code = taken_.code;
  out.about = taken_.about;
  out.service = taken_.service;
  out.user = taken_.user;
  out.text = taken_.text.c_str();
  out.text_size = taken_.text.size();
  out.data = taken_.data.c_str();
  out.data_size = taken_.data.size();
  out.details = taken_.details.c_str();
  out.details_size = taken_.details.size();
  out.method = taken_.method.c_str();
  out.headers = headers_.data();
  out.headers_count = headers_.size();
  out.trailers = trailers_.data();
  out.trailers_count = trailers_.size();
  out.peer = taken_.peer.c_str();
  out.identity = taken_.identity.c_str();
  out.time_left_us = taken_.time_left_us;
  out.streams = taken_.streams ? 1 : 0;
  out.may_have_run = taken_.may_have_run ? 1 : 0;
}

}  // namespace weft::c
