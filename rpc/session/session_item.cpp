#include <weft/rpc/session/session_item.hpp>

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/session/batch_reader.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

status payload::set(const google::protobuf::MessageLite& message) {
  if (auto s = measure(message, size_); !s.ok()) return s;
  auto* at = small_.data();
  if (size_ > small_.size()) {
    large_.reset(new std::uint8_t[size_]);
    at = large_.get();
  }
  message.SerializeWithCachedSizesToArray(at);
  return {};
}

// Made when it is needed: few calls are given up.
struct session_item::calling_off final : work, pooled {
  explicit calling_off(session_item& i) noexcept : item{i} {}
  void run() noexcept override {
    if (outward) {
      outward = false;
      if (item.at != place::back) {
        item.not_run_ = !item.to_->give_up(item);
        item.go_home();
      }
      item.home_->submit(*this);
    } else {
      auto& i = item;
      i.order_ = nullptr;
      delete this;
      i.order_back();
    }
  }
  session_item& item;
  bool outward = true;
};

// On its way from another worker.
struct session_item::gap_told final : work, pooled {
  gap_told(std::shared_ptr<session_outlet> o, std::uint64_t k) noexcept : outlet{std::move(o)}, key{k} {}
  void run() noexcept override {
    outlet->gap(key);
    delete this;
  }
  const std::shared_ptr<session_outlet> outlet;
  const std::uint64_t key;
};

session_item::session_item(std::shared_ptr<session_outlet> to, session_order order, const method_info& method,
                           const google::protobuf::MessageLite& request)
    : to_{std::move(to)}, method_{method}, order_of_{order}, outcome_{request_.set(request)} {}

session_item::~session_item() = default;

bool session_item::same_worker() const noexcept { return home_ == &to_->home(); }

status session_item::depart(worker& home, time_point deadline) noexcept {
  if (!outcome_.ok()) {
    stays(home);
    return std::move(outcome_);
  }
  home_ = &home;
  deadline_ = deadline;
  if (same_worker()) {
    if (auto s = to_->start(*this); !s.ok()) {
      stays(home);
      return s;
    }
  } else if (!to_->home().submit(travel_)) {
    return unavailable("the runtime has ended");
  }
  if (deadline != never) home.timers().arm(*this, deadline);
  return {};
}

void session_item::stays(worker& home) noexcept {
  if (!order_of_.gapless) return;
  auto& there = to_->home();
  if (&home == &there) return to_->gap(order_of_.key);
  auto* told = std::make_unique<gap_told>(to_, order_of_.key).release();
  if (!there.submit(*told)) delete told;
}

void session_item::cancel() noexcept {
  timer::cancel();
  if (same_worker()) {
    if (at == place::back) return;
    not_run_ = !to_->give_up(*this);
    at = place::back;
    home_->submit(travel_);
  } else if (order_ == nullptr) {
    order_ = std::make_unique<calling_off>(*this).release();
    if (!to_->home().submit(*order_)) delete std::exchange(order_, nullptr);  // the runtime has ended
  }
}

void session_item::come_back(worker& home, status why) noexcept {
  home_ = &home;
  outcome_ = std::move(why);
  not_run_ = true;
  at = place::back;
  home.submit(travel_);
}

// On the polling worker, to be sent; on the caller's, when it is back.
void session_item::arrived() noexcept {
  if (at == place::back) {
    came_home_ = true;
    timer::cancel();
    return item_home();
  }
  auto s = to_->start(*this);
  if (s.ok()) return;
  stays(to_->home());
  failed(std::move(s), /*may_have_run=*/false);
}

void session_item::go_home() noexcept {
  at = place::back;
  if (same_worker()) {
    timer::cancel();
    item_home();
  } else {
    home_->submit(travel_);
  }
}

void session_item::answered(const reply_frame& reply) noexcept {
  if (auto* extras = reply_extras()) {
    if (reply.headers.any) extras->headers = read_entries(reply.headers);
    if (reply.trailers.any) extras->trailers = read_entries(reply.trailers);
  }
  not_run_ = reply.not_run;
  if (reply.code != 0) {
    const bool known = reply.code <= static_cast<std::uint64_t>(code::unauthenticated);
    outcome_ = status{known ? static_cast<code>(reply.code) : code::unknown, std::string{reply.message},
                      std::string{reply.details}};
  } else {
    outcome_ = read_reply(reply.reply);
  }
  go_home();
}

void session_item::answered_unary(std::unique_ptr<exchange, exchange::destroy> by) noexcept {
  if (auto* extras = reply_extras()) by->take_metadata(*extras);
  not_run_ = !by->outcome().ok() && by->surely_not_run();
  outcome_ = read_reply(std::move(by));
  go_home();
}

// Nothing came, metadata neither: where they were to go nothing is changed.
void session_item::failed(status why, bool may_have_run) noexcept {
  outcome_ = std::move(why);
  not_run_ = !may_have_run;
  if (auto* extras = reply_extras()) {
    extras->headers_into = extras->trailers_into = nullptr;
    extras->came_compressed_into = nullptr;
  }
  go_home();
}

}  // namespace weft::detail
