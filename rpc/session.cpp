#include <weft/rpc/session.hpp>

#include <utility>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/guided_exchange.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/session/session_core.hpp>
#include <weft/rpc/session/session_exchange.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/this_call.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

// Resumes a lane on the polling worker.
struct resumption final : work, pooled {
  resumption(std::shared_ptr<detail::session_outlet> o, std::uint64_t k) noexcept : outlet{std::move(o)}, key{k} {}
  void run() noexcept override {
    outlet->resume(key);
    delete this;
  }
  std::shared_ptr<detail::session_outlet> outlet;
  std::uint64_t key;
};

// Where calls go that have no way back.
class no_outlet final : public detail::session_outlet {
 public:
  explicit no_outlet(worker& home) noexcept : session_outlet{home} {}
  status start(detail::session_item&) noexcept override {
    return failed_precondition("the call came in another way than over a session: its caller cannot be called");
  }
  bool give_up(detail::session_item&) noexcept override { return false; }
  void gap(std::uint64_t) noexcept override {}
  void resume(std::uint64_t) noexcept override {}
};

}  // namespace

std::string_view to_string(session_state s) noexcept {
  switch (s) {
    case session_state::idle: return "idle";
    case session_state::connecting: return "connecting";
    case session_state::open: return "open";
    case session_state::backing_off: return "backing off";
    case session_state::unary: return "unary";
    case session_state::closed: return "closed";
  }
  return "?";
}

void session_lane::resume() const {
  if (!order_.gapless) return;
  auto* here = worker::current();
  if (here == &to_->home()) return to_->resume(order_.key);
  auto* message = new resumption{to_, order_.key};
  if (!to_->home().submit(*message)) delete message;
}

session peer::session() { return weft::session{*this}; }
session peer::session(session_options options) { return weft::session{*this, std::move(options)}; }

namespace detail {

exchange* exchange::make(const session_lane& to, const method_info& method,
                         const google::protobuf::MessageLite& request) {
  auto core = std::static_pointer_cast<session_core>(to.outlet());
  const auto& channel = to.streams();
  return new guided_exchange{channel, method, new session_exchange{std::move(core), to.order(), method, request}};
}

}  // namespace detail

session::session(peer& to, session_options options)
    : core_{std::make_shared<detail::session_core>(to.shared_channel(), std::move(options))} {}

session::~session() {
  if (!core_) return;
  if (worker::current() != nullptr) {
    if (!core_->options().offers.empty()) {
      misuse("a session that offers services was destroyed on a worker, which it would block: destroy it in main");
    }
    core_->close_later(core_);
    return;
  }
  auto& home = core_->home();
  if (!visit(home, [this] { core_->close(); })) return;  // the runtime has ended, and all calls before it
  if (home.threaded()) {
    core_->over().acquire();
  } else {
    while (!core_->over().try_acquire()) home.round(time_point::min());
  }
}

session_lane session::ordered(std::uint64_t key) const {
  return {core_, core_->to(), {.key = key}, core_->to()->guided()};
}
session_lane session::gapless(std::uint64_t key) const {
  return {core_, core_->to(), {.key = key, .gapless = key != 0}, core_->to()->guided()};
}
session_state session::state() const noexcept { return core_->state(); }

session_lane caller_session(const handled_call& call) {
  auto outlet = std::static_pointer_cast<detail::session_outlet>(call.way_back());
  if (!outlet) outlet = std::make_shared<no_outlet>(*worker::current());
  return {std::move(outlet), nullptr, {}};
}

}  // namespace weft
