#include <weft/rpc/session/session_wire.hpp>

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <utility>
#include <weft/rpc/session/session_served_call.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

// A batch up to here is copied for gRPC, and its memory used again; of a larger one gRPC gets the memory.
constexpr std::size_t copied_batch = 16U << 10U;

const char* const gap_text = "a call before it of the same lane did not run";

grpc::ByteBuffer message_of(raw_bytes& batch) {
  if (batch.size() <= copied_batch) {
    const grpc::Slice slice{batch.data(), batch.size()};
    return {&slice, 1};
  }
  auto* kept = new raw_bytes{std::exchange(batch, {})};
  auto* bytes = const_cast<std::uint8_t*>(kept->data());
  const auto size = kept->size();
  WEFT_TSAN_RELEASE(kept);  // from here on it is gRPC's, and a thread of gRPC's own may be the last to need it
  const auto let_go = [](void* k) {
    WEFT_TSAN_ACQUIRE(k);
    delete static_cast<raw_bytes*>(k);
  };
  const grpc::Slice slice{bytes, size, let_go, kept};
  return {&slice, 1};
}

// How long a call may take, as it is told: 0 would be no limit.
std::uint64_t microseconds_until(time_point deadline, time_point now) noexcept {
  if (deadline == never) return 0;
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - now).count();
  return left < 1 ? 1 : static_cast<std::uint64_t>(left);
}

// A caller keeps within the first window until it has read of another.
session_window at_least_first(const session_window& w) noexcept {
  return {std::max(w.calls, first_window.calls), std::max(w.bytes, first_window.bytes)};
}

std::string number(std::uint64_t n) { return std::to_string(n); }

}  // namespace

session_wire::session_wire(completion_queue& queue, strand& control, session_host& host,
                           const session_limits& limits) noexcept
    : queue_{queue}, control_{control}, host_{host}, limits_{limits}, rules_{at_least_first(limits.window)} {}

void session_wire::open(stream& s) {
  stream_ = &s;
  writer_.attach({session_version, session_version, limits_.window, limits_.batch_bytes});
  will_write();
  read();
}

void session_wire::read() {
  void* tag = queue_.begin(read_);
  if (tag == nullptr) {
    reading_ = false;
    broken_ = true;
    return;
  }
  reading_ = true;
  stream_->read(incoming_, tag);
}

// gRPC tells the other side of each message that is read from a stream, at once, in a packet of its own: to send that and to
// take it costs as much as a call and its reply. Between workers that spin one call at a time takes half as long when its reply
// leaves first. A side that sleeps is better told before: that wakes it while its reply is being made.
void session_wire::read_next() {
  const bool reply_first = reader_.frames() == 1 && control_.home().spins() && !next_read_.queued && !queue_.ending();
  if (!reply_first) return read();
  read_owed_ = true;
  next_read_.queued = control_.post(next_read_);
}

void session_wire::read_if_owed() {
  if (std::exchange(read_owed_, false)) read();
}

// It counts as reading until what has come is taken apart: what that ends must not take the stream for ended.
void session_wire::have_read(bool ok) {
  if (!ok || broken_) {
    reading_ = false;
    return host_.progressed();
  }
  pace_.begins(sent_.size(), writer_.waiting());
  if (!incoming_.TrySingleSlice(&batch_).ok() && !incoming_.DumpToSingleSlice(&batch_).ok()) {
    violation_ = internal_error("session: a batch could not be read");
    return batch_ended();
  }
  batch_came_ = control_.home().read_clock();
  reader_.begin({reinterpret_cast<const char*>(batch_.begin()), batch_.size()});
  read_on();
}

// Even when it has been broken off meanwhile: what has come as an answer counts, and calls are not begun.
void session_wire::read_on() {
  violation_ = reader_.read(*this, batch_pace::portion);
  if (!violation_.ok() || reader_.done()) return batch_ended();
  pace_.read(reader_.replies(), reader_.replies_left(), reader_.left());
  control_.post(next_portion_);
  if (std::exchange(window_freed_, false)) host_.window_opened();
}

// Of what leaves while a batch is read its sender did not know: it keeps to the window as it was when the batch came.
void session_wire::free_window() noexcept {
  rules_.answered(freed_.bytes, freed_.calls);
  freed_ = {};
}

void session_wire::batch_ended() {
  batch_ = {};
  pace_.ended();
  free_window();
  if (violation_.ok() && !peer_attached()) violation_ = invalid_argument("session: the first batch has no attach");
  if (!violation_.ok() || broken_) {
    reading_ = false;
    broken_ = true;
    return host_.progressed();
  }
  if (limits_.pauses && full()) {
    reading_ = false;
    paused_ = true;
  } else {
    read_next();
  }
  if (broken_) return host_.progressed();  // meanwhile, or the queue has ended
  if (!writer_.empty()) will_write();
  if (std::exchange(window_freed_, false)) host_.window_opened();
}

void session_wire::will_write() noexcept {
  if (writing_ || flush_.queued || stream_ == nullptr || silent_) return;
  switch (pace_.to_write(writer_.waiting(), control_.home().now())) {
    case batch_pace::when::later: break;
    case batch_pace::when::now: flush_.queued = control_.post(flush_); break;
    case batch_pace::when::after_events:
      flush_.target = &control_;
      flush_.queued = control_.home().submit(flush_);
      break;
  }
}

void session_wire::write() {
  if (writing_ || broken_ || silent_ || writer_.empty()) return;
  if (pace_.to_write(writer_.waiting(), control_.home().now()) == batch_pace::when::later) return;
  void* tag = queue_.begin(written_);
  if (tag == nullptr) {
    broken_ = true;
    return;
  }
  writing_ = true;
  pace_.written();
  const bool was_full = full();
  answer_count answers;
  auto batch = writer_.next(answers);
  freed_.bytes += answers.bytes;
  freed_.calls += answers.calls;
  if (reader_.done()) free_window();
  pings_ -= answers.pings;
  if (was_full && !full()) room_again_ = true;
  const auto message = message_of(batch);
  writer_.reuse(std::move(batch));
  stream_->write(message, tag);
  queue_.may_have_kicked();
}

void session_wire::have_written(bool ok) {
  writing_ = false;
  if (ok) {
    write();
  } else {
    broken_ = true;
  }
  if (std::exchange(room_again_, false) && !broken_) {
    if (std::exchange(paused_, false)) read();
    host_.window_opened();
  }
  host_.progressed();
}

// Calls of this side.

bool session_wire::takes(const session_item& item) const noexcept {
  return peer_attached() && !broken_ && !peer_goes_ && !full() && sent_.has_room(item.request().size());
}

status session_wire::name(const method_info& method, call_frame& c) {
  // Not another at the same place.
  const auto is_known = [&](const numbered_method& m) { return std::strcmp(m.path.c_str(), method.path) == 0; };
  if (last_numbered_.first != &method) {
    const auto found = numbers_.find(&method);
    last_numbered_ = {&method, found == numbers_.end() ? nullptr : &found->second};
  }
  if (last_numbered_.second != nullptr && is_known(*last_numbered_.second)) {
    c.method = last_numbered_.second->number;
    return {};
  }
  c.path = method.path;
  if (c.path.size() > most_of_path) {
    return invalid_argument("session: a method's path has " + number(c.path.size()) + " bytes, and " +
                            number(most_of_path) + " are taken");
  }
  if (numbers_named_ == most_methods) {
    return resource_exhausted("session: " + number(most_methods) + " methods have been called on it");
  }
  c.method = numbers_named_;
  auto& named = numbers_[&method] = {method.path, numbers_named_++};
  last_numbered_ = {&method, &named};
  return {};
}

status session_wire::send(session_item& item) noexcept {
  const auto* extras = item.extras();
  const auto* sent = extras != nullptr && !extras->sent.empty() ? &extras->sent : nullptr;
  const auto request = item.request();
  constexpr std::size_t most_of_frame = 256;  // beside path, request and metadata
  call_frame c;
  c.id = sent_.next_id();
  c.request = request;
  c.limit_us = microseconds_until(item.deadline(), control_.home().now());
  c.key = item.order().key;
  c.gapless = item.order().gapless;
  if (request.size() + most_of_frame > peer_batch_bytes_ || sent != nullptr) {
    c.path = item.method().path;
    const auto bytes = batch_writer::size_of(c, sent);
    if (bytes > peer_batch_bytes_) {
      return resource_exhausted(std::string{item.method().path} + ": the request has " + number(bytes) +
                                " bytes, and the other side takes " + number(peer_batch_bytes_));
    }
    c.path = {};
  }
  if (auto s = name(item.method(), c); !s.ok()) return s;
  item.id = sent_.add({&item, request.size(), c.key, c.gapless});
  item.at = session_item::place::sent;
  item.wire = this;
  writer_.call(c, sent);
  will_write();
  return {};
}

void session_wire::cancel(session_item& item) noexcept {
  sent_.forget(item.id);
  if (broken_) return;
  writer_.cancel(item.id);
  will_write();
}

void session_wire::forget(std::uint64_t key) {
  sent_.forget_gaps(key);
  if (broken_) return;
  writer_.forget(key);
  will_write();
}

session_item* session_wire::take_sent() noexcept {
  session_item* first = nullptr;
  auto calls = sent_.take_beyond(0);
  for (auto at = calls.rbegin(); at != calls.rend(); ++at) {
    if (at->item != nullptr) {
      first = (at->item->next = first, at->item);
    } else if (at->gapless) {
      host_.gap(at->key);
    }
  }
  return first;
}

std::vector<std::uint64_t> session_wire::keys_out() {
  std::vector<std::uint64_t> keys;
  sent_.for_each_key([&keys](std::uint64_t key) { keys.push_back(key); });
  return keys;
}

// The other side's calls.

void session_wire::stop_serving(const status& why) noexcept {
  std::vector<std::uint64_t> ids;
  serving_.for_each([&](std::uint64_t id, session_served_call*) { ids.push_back(id); });
  for (const auto id : ids) {
    if (auto* served = serving_.find(id)) (*served)->give_up(why);  // the end of one may be that of others
  }
}

void session_wire::go_away() {
  if (std::exchange(goes_, true) || broken_ || stream_ == nullptr) return;
  last_begun_ = rules_.last_id();
  writer_.go_away(last_begun_);
  will_write();
}

std::uint8_t* session_wire::say_reply(std::uint64_t id, std::size_t request, std::size_t bytes, const metadata* headers,
                                      const metadata* trailers) {
  auto* at = writer_.reply(id, bytes, headers, trailers);
  writer_.answers_call(request);
  return at;
}

// One that the other side would not read is cut down to its code: a batch that is too large would end the session.
void session_wire::say_error(std::uint64_t id, std::size_t request, const status& why, bool not_run,
                             const metadata* headers, const metadata* trailers) {
  const auto bytes = batch_writer::size_of_error(id, why, not_run, headers, trailers);
  if (bytes > peer_batch_bytes_) {
    const status cut{why.code(),
                     "the error has " + number(bytes) + " bytes, and the session takes " + number(peer_batch_bytes_)};
    writer_.error(id, cut, not_run, nullptr, nullptr);
  } else {
    writer_.error(id, why, not_run, headers, trailers);
  }
  writer_.answers_call(request);
}

void session_wire::answered(session_served_call& c, bool gap) noexcept {
  session_served_call* taken = nullptr;
  serving_.take(c.id(), taken);
  if (!broken_) will_write();
  if (c.gapless()) lane_moves_on(c, gap);
}

// In a lane without gaps a call is begun when the one before it has ended: only then it is known whether that has run.
void session_wire::lane_moves_on(session_served_call& ended, bool gap) noexcept {
  const auto key = ended.key();
  if (gap) gaps_.insert(key);
  const auto lane = gapless_lanes_.find(key);
  if (lane == gapless_lanes_.end()) return;  // it stops already
  if (ended.waits()) {
    // It was given up: those before it go on.
    auto& line = lane->second;
    const auto place = std::ranges::find(line, &ended);
    if (place == line.end()) return;
    const std::vector<session_served_call*> behind{place + 1, line.end()};
    line.erase(place, line.end());
    for (auto* next : behind) next->refuse(aborted(gap_text));
  } else if (gap) {
    auto waiting = std::move(lane->second);
    gapless_lanes_.erase(lane);
    for (auto* next : waiting) next->refuse(aborted(gap_text));
  } else if (lane->second.empty()) {
    gapless_lanes_.erase(lane);
  } else {
    auto* next = lane->second.front();
    lane->second.pop_front();
    next->begin_kept();
  }
}

// What a batch has.

status session_wire::got_attach(const attach_frame& a) {
  if (auto s = rules_.attach(a); !s.ok()) return s;
  sent_.said(a.window);
  if (a.batch_bytes != 0) peer_batch_bytes_ = a.batch_bytes;
  window_freed_ = true;
  return {};
}

status session_wire::got_window(const session_window& w) {
  sent_.said(w);
  window_freed_ = true;
  return {};
}

status session_wire::got_forget(std::uint64_t key) {
  gaps_.erase(key);
  return {};
}

status session_wire::got_call(const call_frame& c) {
  if (auto s = rules_.accept(c); !s.ok()) return s;
  if (!c.path.empty()) methods_.push_back({std::string{c.path}, host_.find(c.path)});
  if (goes_ || silent_ || broken_) return {};  // its caller knows
  if (gaps_.size() >= most_stopped_keys) {
    return resource_exhausted("session: " + number(gaps_.size()) + " keys without gaps stand still");
  }
  rules_.begun(c.request.size());
  const auto& method = methods_[c.method];
  const bool is_plain = method.offer.service != nullptr && !c.gapless && !c.metadata.any && (limits_.pauses || !full());
  if (!is_plain) {
    if (auto why = reason_to_refuse(c, method); !why.ok()) {
      refuse(c, why);
      return {};
    }
  }
  auto* served = new session_served_call{*this, c, method.offer};
  serving_.insert(c.id, served);
  if (c.gapless) {
    const auto [lane, idle] = gapless_lanes_.try_emplace(c.key);
    if (!idle) {
      served->keep(c.request);
      lane->second.push_back(served);
      return {};
    }
  }
  served->begin(c.request);
  return {};
}

status session_wire::reason_to_refuse(const call_frame& c, const named_method& method) {
  if (method.offer.service == nullptr) {
    host_.count_unimplemented();
    return unimplemented("no method " + method.path);
  }
  if (c.gapless && gaps_.contains(c.key)) return aborted(gap_text);
  if (c.metadata.any && size_of_entries(c.metadata) > limits_.metadata_bytes) {
    return resource_exhausted(method.path + ": the metadata are larger than the " + number(limits_.metadata_bytes) +
                              " bytes that are taken");
  }
  if (full() && !limits_.pauses) {
    return resource_exhausted("session: " + number(writer_.waiting()) + " bytes of replies wait to be read");
  }
  return {};
}

void session_wire::refuse(const call_frame& c, const status& why) {
  say_error(c.id, c.request.size(), why, /*not_run=*/true, nullptr, nullptr);
  if (c.gapless) gaps_.insert(c.key);
  will_write();
}

status session_wire::got_reply(const reply_frame& r) {
  sent_call sent;
  if (auto s = sent_.answered(r.id, sent); !s.ok()) return s;
  window_freed_ = true;
  useful_ = true;
  if (r.not_run && sent.gapless) host_.gap(sent.key);
  if (sent.item != nullptr) answer(*sent.item, r);
  if (peer_goes_ && sent.key != 0) host_.key_answered(sent.key);
  return {};
}

void session_wire::answer(session_item& item, const reply_frame& r) {
  const auto metadata_bytes =
      (r.headers.any ? size_of_entries(r.headers) : 0) + (r.trailers.any ? size_of_entries(r.trailers) : 0);
  if (metadata_bytes > limits_.metadata_bytes) {
    item.failed(resource_exhausted("the reply's metadata are larger than the " + number(limits_.metadata_bytes) +
                                   " bytes that are taken"),
                /*may_have_run=*/!r.not_run);
  } else {
    item.answered(r);
  }
}

status session_wire::got_cancel(std::uint64_t id) {
  if (auto* served = serving_.find(id)) (*served)->give_up(weft::cancelled("the caller has gone"));
  return {};
}

status session_wire::got_ping(std::uint64_t n) {
  if (++pings_ > most_pings) return resource_exhausted("session: " + number(pings_) + " pings wait for their answer");
  writer_.pong(n);
  will_write();
  return {};
}

status session_wire::got_go_away(std::uint64_t last_id) {
  if (std::exchange(peer_goes_, true)) return invalid_argument("session: goaway came twice");
  for (const auto& call : sent_.take_beyond(last_id)) {
    if (call.item != nullptr) {
      host_.returned(*call.item);
    } else if (call.gapless) {
      host_.gap(call.key);
    }
  }
  host_.peer_goes_away();
  return {};
}

}  // namespace weft::detail
