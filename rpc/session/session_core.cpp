#include <weft/rpc/session/session_core.hpp>

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <string>
#include <utility>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/session/session_line.hpp>
#include <weft/rpc/session/unary_attempt.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

const char* const closed_text = "the session is closed";
// More would be a server that goes away again and again and never ends: its oldest stream is cancelled then.
constexpr std::size_t most_lines = 4;

const char* const stopped_text = "a call before it of the same lane did not run";

}  // namespace

session_core::session_core(std::shared_ptr<channel> to, session_options options)
    : session_outlet{to->home()},
      channel_{std::move(to)},
      options_{std::move(options)},
      backoff_{options_.first_backoff} {}

session_core::~session_core() = default;

status session_core::start(session_item& item) noexcept {
  if (item.order().gapless) item.serial = ++started_;
  if (closed_) return cancelled(closed_text);
  if (channel_->owner().queue().shut()) return unavailable("the runtime has ended");
  if (!channel_->problem().ok()) return channel_->problem();
  if (stopped(item)) return aborted(stopped_text);
  if (unary_) {
    start_unary(item);
    return {};
  }
  const auto waiting = waiting_.size() + held_back_;
  const auto too_many = [waiting] {
    return resource_exhausted("the session has " + std::to_string(waiting) + " calls waiting");
  };
  if (holds(item)) {
    if (waiting >= options_.waiting) return too_many();
    hold(item);
    return {};
  }
  if (current_ == nullptr) {
    const auto* extras = item.extras();
    const bool patient = extras != nullptr && extras->wait_for_ready;
    if (home().read_clock() >= not_before_) {
      connect();
    } else if (!patient) {
      return last_error_;
    }
  }
  if (waiting_.empty() && current_ != nullptr && current_->wire().takes(item)) return current_->wire().send(item);
  if (waiting >= options_.waiting) return too_many();
  wait_for_turn(item);
  if (current_ == nullptr && !timer::armed()) home().timers().arm(*this, not_before_);
  return {};
}

void session_core::wait_for_turn(session_item& item) noexcept {
  item.at = session_item::place::waiting;
  waiting_.push_back(item);
  if (!std::exchange(registered_, true)) channel_->owner().queue().went_out(*this);
}

void session_core::no_longer_waits(session_item& item) noexcept {
  waiting_.remove(item);
  if (waiting_.empty() && std::exchange(registered_, false)) channel_->owner().queue().came_back(*this);
}

bool session_core::give_up(session_item& item) noexcept {
  switch (item.at) {
    case session_item::place::waiting:
      no_longer_waits(item);
      stop_behind(item);
      return false;
    case session_item::place::held:
      held_.find(item.order().key)->second.items.remove(item);
      --held_back_;
      stop_behind(item);
      return false;
    case session_item::place::sent: item.wire->cancel(item); return true;
    case session_item::place::unary:
      if (item.attempt != nullptr) {
        unary_out_.remove(item);
        std::exchange(item.attempt, nullptr)->abandon();
        return true;
      }
      unary_lanes_.find(item.order().key)->second.remove(item);
      stop_behind(item);
      return false;
    case session_item::place::caller:
    case session_item::place::back: break;
  }
  return false;
}

// What was stopped and waits yet belongs to the order that ends here.
void session_core::resume(std::uint64_t key) noexcept {
  if (stopped_keys_.contains(key)) {
    fail_stopped(waiting_, key);
    if (const auto held = held_.find(key); held != held_.end()) {
      held_back_ -= held->second.items.size();
      fail_stopped(held->second.items, key);
      held_back_ += held->second.items.size();
    }
    if (const auto lane = unary_lanes_.find(key); lane != unary_lanes_.end()) fail_stopped(lane->second, key);
    stopped_keys_.erase(key);
  }
  for (auto* line : lines_) {
    if (line->wire().opened()) line->wire().forget(key);
  }
}

void session_core::stop_behind(std::uint64_t key, std::uint64_t serial) noexcept {
  const auto [stop, fresh] = stopped_keys_.try_emplace(key, serial);
  if (!fresh) stop->second = std::min(stop->second, serial);
}

bool session_core::stopped(const session_item& item) const noexcept {
  if (!item.order().gapless) return false;
  const auto stop = stopped_keys_.find(item.order().key);
  return stop != stopped_keys_.end() && item.serial > stop->second;
}

void session_core::fail_stopped(item_list& list, std::uint64_t key) noexcept {
  item_list kept;
  while (!list.empty()) {
    auto& item = list.pop_front();
    if (item.order().key == key && stopped(item)) {
      fail(item, aborted(stopped_text), /*may_have_run=*/false);
    } else {
      kept.push_back(item);
    }
  }
  list = kept;
}

void session_core::fail(session_item& item, status why, bool may_have_run) noexcept {
  stop_behind(item);
  item.failed(std::move(why), may_have_run);
}

void session_core::fail_waiting(const status& why, bool also_patient, bool only_keyed) noexcept {
  item_list kept;
  while (!waiting_.empty()) {
    auto& item = waiting_.front();
    no_longer_waits(item);
    const auto* extras = item.extras();
    const bool patient = extras != nullptr && extras->wait_for_ready;
    if ((patient && !also_patient) || (only_keyed && item.order().key == 0)) {
      kept.push_back(item);
    } else {
      fail(item, why, /*may_have_run=*/false);
    }
  }
  while (!kept.empty()) wait_for_turn(kept.pop_front());
}

void session_core::connect() noexcept {
  timer::cancel();
  set(session_state::connecting);
  if (lines_.size() >= most_lines) lines_.front()->cancel();
  current_ = std::make_unique<session_line>(shared_from_this()).release();  // deletes itself
  lines_.push_back(current_);
  current_->begin();
}

void session_core::send_waiting() noexcept {
  while (!waiting_.empty() && current_ != nullptr && current_->wire().takes(waiting_.front())) {
    auto& item = waiting_.front();
    no_longer_waits(item);
    if (stopped(item)) {
      fail(item, aborted(stopped_text), /*may_have_run=*/false);
      continue;
    }
    if (auto s = current_->wire().send(item); !s.ok()) fail(item, std::move(s), /*may_have_run=*/false);
  }
}

void session_core::line_open(session_line& line) noexcept {
  if (&line != current_) return;
  if (line.wire().peer_attached()) {
    set(session_state::open);
    not_before_ = time_point::min();
  }
  send_waiting();
}

void session_core::window_opened(session_line& line) noexcept {
  if (&line == current_) send_waiting();
}

void session_core::returned(session_item& item) noexcept { returned_.push_back(item); }

void session_core::line_goes(session_line& line) noexcept {
  if (&line == current_) {
    current_ = nullptr;
    set(closed_ ? session_state::closed : session_state::idle);
  }
  if (!closed_) {
    for (const auto key : line.wire().keys_out()) ++held_[key].out;
  }
  auto first = std::exchange(returned_, {});
  while (!waiting_.empty()) {
    auto& item = waiting_.front();
    no_longer_waits(item);
    first.push_back(item);
  }
  item_list others;
  while (!first.empty()) {
    auto& item = first.pop_front();
    if (!closed_ && holds(item)) {
      hold(item);
    } else {
      others.push_back(item);
    }
  }
  put_first(others);
  if (current_ != nullptr || closed_) return;
  last_error_ = unavailable("the server at " + channel_->address() + " goes away");
  connect_again(line);
}

// Behind those of its key that are held back already.
void session_core::hold(session_item& item) noexcept {
  item.at = session_item::place::held;
  held_.find(item.order().key)->second.items.push_back(item);
  ++held_back_;
}

// A call of the key has come in: what may go now.
item_list session_core::let_go(std::uint64_t key) noexcept {
  const auto held = held_.find(key);
  if (held == held_.end() || --held->second.out != 0) return {};
  const auto items = held->second.items;
  held_back_ -= items.size();
  held_.erase(held);
  return items;
}

void session_core::key_answered(std::uint64_t key) noexcept {
  auto items = let_go(key);
  if (items.empty()) return;
  while (!items.empty()) {
    auto& item = items.pop_front();
    if (closed_) {
      fail(item, cancelled(closed_text), /*may_have_run=*/false);
    } else if (unary_) {
      start_unary(item);
    } else {
      wait_for_turn(item);
    }
  }
  if (current_ != nullptr) return send_waiting();
  if (closed_ || waiting_.empty()) return;
  if (home().read_clock() >= not_before_) {
    connect();
  } else if (!timer::armed()) {
    home().timers().arm(*this, not_before_);
  }
}

// At once behind a stream that was of use; otherwise once, and then as if the server could not be reached: it would go on for
// ever, as fast as it can.
void session_core::connect_again(session_line& before) noexcept {
  if (before.wire().useful()) {
    useless_lines_ = 0;
    backoff_ = options_.first_backoff;
  } else if (++useless_lines_ > 1) {
    return back_off();
  }
  if (!waiting_.empty()) connect();
}

void session_core::back_off() noexcept {
  set(session_state::backing_off);
  not_before_ = saturating_add(home().read_clock(), backoff_);
  backoff_ = std::min(2 * backoff_, options_.most_backoff);
  fail_waiting(last_error_, /*also_patient=*/false, /*only_keyed=*/false);
  if (!waiting_.empty()) home().timers().arm(*this, not_before_);
}

void session_core::put_first(item_list items) noexcept {
  while (!items.empty()) {
    auto& item = items.back();
    items.remove(item);
    if (closed_) {
      fail(item, cancelled(closed_text), /*may_have_run=*/false);
      continue;
    }
    item.at = session_item::place::waiting;
    waiting_.push_front(item);
    if (!std::exchange(registered_, true)) channel_->owner().queue().went_out(*this);
  }
}

void session_core::line_ended(session_line& line, line_end end) noexcept {
  const bool was_current = &line == current_;
  if (was_current) current_ = nullptr;
  if (end.no_sessions && options_.fall_back_to_unary && !closed_) {
    unary_ = true;
    set(session_state::unary);
    while (!end.unanswered.empty()) start_unary(end.unanswered.pop_front());
    while (!waiting_.empty()) {
      auto& item = waiting_.front();
      no_longer_waits(item);
      start_unary(item);
    }
    return;
  }
  const auto& to = channel_->address();
  // CANCELLED: so gRPC ends a stream that reaches a server which stops. A rule that the server broke is no fault of the calls.
  if (!end.attached && (end.broke_rule || end.why.code() == code::cancelled)) {
    end.why = unavailable("the session with " + to + " did not begin: " + end.why.to_string());
  }
  const auto broke = unavailable("the session with " + to + " broke: " + end.why.to_string());
  auto why = closed_ ? cancelled(closed_text) : end.not_run ? end.why : broke;
  last_error_ = end.attached ? broke : end.why;
  if (last_error_.ok()) last_error_ = unavailable("the session with " + to + " was ended");
  if (why.ok()) why = last_error_;
  item_list patient;
  while (!end.unanswered.empty()) {
    auto& item = end.unanswered.pop_front();
    const auto* extras = item.extras();
    if (end.not_run && !closed_ && extras != nullptr && extras->wait_for_ready) {
      patient.push_back(item);
    } else {
      fail(item, why, !end.not_run);
    }
  }
  put_first(std::exchange(patient, {}));
  for (const auto key : end.keys) {
    auto items = let_go(key);
    while (!items.empty()) {
      auto& item = items.pop_front();
      if (closed_ || options_.on_break == weft::on_break::fail) {
        fail(item, closed_ ? cancelled(closed_text) : last_error_, /*may_have_run=*/false);
      } else if (unary_) {
        start_unary(item);
      } else {
        wait_for_turn(item);
      }
    }
  }
  if (closed_) return;
  if (!was_current) {
    if (current_ != nullptr) return send_waiting();
    if (!waiting_.empty() && !timer::armed()) home().timers().arm(*this, std::max(not_before_, home().read_clock()));
    return;
  }
  if (end.attached) {
    set(session_state::idle);
    if (options_.on_break == weft::on_break::fail) fail_waiting(last_error_, true, true);
    return connect_again(line);
  }
  set(session_state::backing_off);
  // Who waits for the server to be ready waits for nothing else.
  fail_waiting(last_error_, /*also_patient=*/end.why.code() != code::unavailable, /*only_keyed=*/false);
  not_before_ = saturating_add(home().read_clock(), backoff_);
  backoff_ = std::min(2 * backoff_, options_.most_backoff);
  if (!waiting_.empty()) home().timers().arm(*this, not_before_);
}

void session_core::expired() noexcept {
  if (current_ == nullptr && !closed_ && !waiting_.empty()) connect();
}

void session_core::line_gone(session_line& line) noexcept {
  std::erase(lines_, &line);
  delete &line;
  if (lines_.empty() && closed_) over_.release();
}

void session_core::close() noexcept {
  if (std::exchange(closed_, true)) return;
  set(session_state::closed);
  timer::cancel();
  const auto why = cancelled(closed_text);
  fail_waiting(why, /*also_patient=*/true, /*only_keyed=*/false);
  while (!unary_out_.empty()) {
    auto& item = unary_out_.pop_front();
    std::exchange(item.attempt, nullptr)->abandon();
    fail(item, why, /*may_have_run=*/true);
  }
  for (auto& [key, lane] : unary_lanes_) {
    while (!lane.empty()) fail(lane.pop_front(), why, /*may_have_run=*/false);
  }
  for (auto& [key, held] : held_) {
    while (!held.items.empty()) fail(held.items.pop_front(), why, /*may_have_run=*/false);
  }
  held_.clear();
  held_back_ = 0;
  if (lines_.empty()) return over_.release();
  for (auto* line : std::vector{lines_}) line->cancel();
}

void session_core::close_later(std::shared_ptr<session_core> self) noexcept {
  closer_.core = std::move(self);
  if (!home().submit(closer_)) closer_.core.reset();
}

void session_core::closer::run() noexcept {
  const auto kept = std::move(core);
  kept->close();
}

// A server without sessions.

void session_core::start_unary(session_item& item) noexcept {
  item.at = session_item::place::unary;
  item.attempt = nullptr;
  const auto key = item.order().key;
  if (key != 0) {
    const auto [lane, idle] = unary_lanes_.try_emplace(key);
    if (!idle) return lane->second.push_back(item);
  }
  auto why = stopped(item) ? aborted(stopped_text) : begin_unary(item);
  if (why.ok()) return;
  fail(item, std::move(why), /*may_have_run=*/false);
  if (key != 0) unary_ended(key);
}

status session_core::begin_unary(session_item& item) noexcept {
  const auto request = item.request();
  const grpc::Slice slice{request.data(), request.size()};
  status why;
  auto* attempt = std::make_unique<unary_attempt>(shared_from_this(), item).release();  // too
  if (attempt->begin(grpc::ByteBuffer{&slice, 1}, why)) unary_out_.push_back(item);
  return why;
}

void session_core::unary_ended(std::uint64_t key) noexcept {
  const auto lane = unary_lanes_.find(key);
  while (!lane->second.empty()) {
    auto& item = lane->second.pop_front();
    auto why = stopped(item) ? aborted(stopped_text) : begin_unary(item);
    if (why.ok()) return;
    fail(item, std::move(why), /*may_have_run=*/false);
  }
  unary_lanes_.erase(lane);
}

}  // namespace weft::detail
