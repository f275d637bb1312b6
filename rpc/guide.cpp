#include <weft/rpc/guide.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <weft/rpc/detail/channel.hpp>
#include <weft/runtime/this_call.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

guide::guide(guided_call& call, const std::shared_ptr<channel>& to, const method_info& method)
    : passage{to->owner().control(), method, to->middleware().size()},
      outgoing{method, to->address()},
      call_{call},
      channel_{to} {}

worker& guide::polling() const noexcept { return channel_->home(); }

void guide::look_at(const context& caller) {
  task_context().inherit_annotations(caller);
  if (caller.handler() == nullptr) return;
  const auto& keys = channel_->forwarded();
  if (keys.empty()) return;
  const handled_call served{*caller.handler()};
  for (const auto& [key, value] : served.metadata()) {
    if (std::ranges::find(keys, key) != keys.end()) forwarded_.add(key, value);
  }
}

status guide::set_out(worker& home, time_point deadline, const call_extras* extras) noexcept {
  if (!channel_->problem().ok()) return channel_->problem();
  home_ = &home;
  deadline_ = deadline;
  if (extras != nullptr) extras_ = *extras;
  sent_ = extras_.sent;
  for (const auto& [key, value] : forwarded_) {
    if (extras_.sent.find(key) == nullptr) sent_.add(key, value);
  }
  if (home_ == &polling()) {
    enter_passage();
    return {};
  }
  return polling().submit(outward_) ? status{} : unavailable("the runtime has ended");
}

void guide::turn_back() noexcept {
  if (home_ == &polling()) {
    stop(cancelled("the caller gave up"));
    return;
  }
  order_.out = order_.is_outward = true;
  if (!polling().submit(order_)) order_.out = false;
}

void guide::order::run() noexcept {
  if (is_outward) {
    is_outward = false;
    self.stop(cancelled("the caller gave up"));
    self.home_->submit(*this);
  } else {
    out = false;
    self.call_.guide_let_go();
  }
}

task<status> guide::layer(std::size_t n, rest_of_call next) { return channel_->middleware()[n](*this, next); }

void guide::begin_rest(const context& caller) noexcept {
  deadline_ = std::min(deadline_, caller.deadline());
  if (auto s = sent_.check(); !s.ok()) return rest_ended(std::move(s));
  if (deadline_ <= polling().now()) return rest_ended(deadline_exceeded(std::string{info_.path} + " took too long"));
  extras_.sent = sent_;
  call_.begin_rest(deadline_, extras_);
}

void guide::arrived(status outcome, call_extras reply) noexcept {
  headers_ = std::move(reply.headers);
  trailers_ = std::move(reply.trailers);
  rest_ended(std::move(outcome));
}

void guide::passed(status outcome) noexcept {
  call_.passed(std::move(outcome));
  if (home_ == &polling()) {
    call_.came_home();
  } else {
    home_->submit(homeward_);
  }
}

}  // namespace weft::detail
