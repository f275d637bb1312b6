#include <weft/rpc/session/session_line.hpp>

#include <utility>
#include <vector>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/server_origin.hpp>

namespace weft::detail {
namespace {

session_limits limits_of(const session_options& o) noexcept {
  // Nothing can be called where nothing is offered.
  if (o.offers.empty()) return {.window = {}};
  return {.window = {o.window_calls, o.window_bytes}};
}

}  // namespace

session_line::session_line(std::shared_ptr<session_core> core)
    : core_{std::move(core)},
      queue_{core_->to()->owner().queue()},
      wire_{queue_, core_->to()->owner().control(), *this, limits_of(core_->options())} {}

void session_line::begin() noexcept {
  void* tag = queue_.begin(started_);
  if (tag == nullptr) {
    over_ = true;
    core_->line_ended(*this, {unavailable("the runtime has ended"), {}, false, true, false, false, {}});
    return end_if_gone();
  }
  set_up(context_, never, core_->to()->metadata(), nullptr);
  queue_.went_out(*this);
  auto& channel = core_->to()->next().shared();
  stream_ = prepare_stream(channel, attach_path, context_, queue_.queue());
  starting_ = true;
  stream_->StartCall(tag);
}

void session_line::started(bool ok) {
  starting_ = false;
  if (ok && !cancelled_) {
    wire_.open(*this);
    core_->line_open(*this);
  } else {
    wire_.break_off();
  }
  progressed();
}

void session_line::cancel() noexcept {
  cancelled_ = true;
  wire_.break_off();
  context_.TryCancel();
  progressed();
}

void session_line::cancel_for_shutdown() noexcept {
  cancelled_ = true;
  context_.TryCancel();  // its tags come then; nothing of it goes beneath the queue
}

void session_line::close_when_answered() noexcept {
  closing_ = true;
  progressed();
}

void session_line::window_opened() noexcept {
  if (wire_.peer_attached() && !std::exchange(said_open_, true)) core_->line_open(*this);
  core_->window_opened(*this);
  if (closing_) progressed();
}

void session_line::peer_goes_away() noexcept {
  core_->line_goes(*this);
  close_when_answered();
}

// Whatever has ended, the next step towards the end is taken here.
void session_line::progressed() noexcept {
  if (starting_ || finishing_) return;
  if (over_) return end_if_gone();
  if (!wire_.violation().ok() && !std::exchange(cancelled_, true)) context_.TryCancel();
  const bool broken = cancelled_ || !wire_.reads();
  if (!broken) {
    const bool answered = wire_.sent() == 0 && wire_.serving() == 0 && wire_.written();
    if (!closing_ || !answered || std::exchange(half_closed_once_, true)) return;
    void* tag = queue_.begin(half_closed_);
    if (tag == nullptr) return;
    half_closing_ = true;
    wire_.fall_silent();
    stream_->WritesDone(tag);
    return;
  }
  wire_.break_off();
  if (wire_.reads() || wire_.writes() || half_closing_) return;
  finishing_ = true;
  void* tag = queue_.begin(finished_);
  if (tag == nullptr) return finished(false);
  stream_->Finish(&outcome_, tag);
}

void session_line::finished(bool) {
  queue_.came_back(*this);
  const bool broke_rule = !wire_.violation().ok();
  const auto why = broke_rule ? wire_.violation() : from_grpc(outcome_);
  const bool attached = wire_.peer_attached();
  const bool no_sessions = !attached && outcome_.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  const bool not_run = !attached && (no_sessions || core_->to()->never_left(context_, outcome_) ||
                                     context_.GetServerTrailingMetadata().contains(not_run_key));
  auto keys = wire_.peer_goes() ? wire_.keys_out() : std::vector<std::uint64_t>{};
  item_list unanswered;
  for (auto* item = wire_.take_sent(); item != nullptr;) {
    auto& i = *std::exchange(item, std::exchange(item->next, nullptr));
    unanswered.push_back(i);
  }
  core_->line_ended(*this,
                    {why, std::exchange(unanswered, {}), attached, not_run, no_sessions, broke_rule, std::move(keys)});
  wire_.stop_serving(weft::cancelled("the session is over"));
  finishing_ = false;  // only now: what has just ended must not end the line beneath its loop
  over_ = true;
  end_if_gone();
}

void session_line::end_if_gone() noexcept {
  if (!over_ || wire_.busy()) return;
  const auto core = core_;
  auto& self = *this;
  core->line_gone(self);
}

session_host::offer session_line::find(std::string_view path) noexcept {
  for (auto* s : core_->options().offers) {
    for (const auto& m : s->methods()) {
      if (m.open == nullptr && path == m.info->path) return {s, &m};
    }
  }
  return {};
}

}  // namespace weft::detail
