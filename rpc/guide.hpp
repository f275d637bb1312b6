#pragma once
#include <cstddef>
#include <memory>
#include <weft/rpc/passage.hpp>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class worker;

namespace detail {

class channel;

/// A call to a peer around which the peer's middleware stands.
class guided_call {
 public:
  /// On the polling worker, once, before anything else there.
  virtual void entering() noexcept {}
  /// On the polling worker. `extras` last until it is home. `guide::arrived` follows, once, perhaps beneath it.
  virtual void begin_rest(time_point deadline, const call_extras& extras) noexcept = 0;
  /// On the polling worker: it was begun and has not ended. May come again.
  virtual void give_up_rest() noexcept = 0;
  /// On the polling worker: the middleware has ended with this; the call goes home next.
  virtual void passed(status outcome) noexcept = 0;
  /// On the caller's worker, once.
  virtual void came_home() noexcept = 0;
  /// On the caller's worker: nothing of the guide is under way any more.
  virtual void guide_let_go() noexcept = 0;

 protected:
  ~guided_call() = default;
};

/// The way of a call to a peer through the peer's middleware: from the caller's worker to the polling one, and back. Between
/// the two only messages pass, as in a local call:
///   1. the caller submits `outward_`; from then on all is the polling worker's.
///   2. that one, when the middleware has ended, submits `homeward_`.
///   3. a caller that gives up before that submits `order_`, which stops the middleware and comes back.
/// It lives until it is home (2) and no order is under way (3). Made and destroyed on the caller's worker.
class guide final : public passage, outgoing {
 public:
  guide(guided_call& call, const std::shared_ptr<channel>& to, const method_info& method);

  /// Before `set_out`: what of the calling task the call carries along.
  void look_at(const context& caller);
  /// `extras` may be null. Errors: what is wrong with the peer, UNAVAILABLE; it does not come home then.
  status set_out(worker& home, time_point deadline, const call_extras* extras) noexcept;
  /// After `set_out`, before it is home.
  void turn_back() noexcept;
  /// On the polling worker: the rest has ended. `reply`: metadata that came with it.
  void arrived(status outcome, call_extras reply = {}) noexcept;
  /// An order is under way.
  bool referenced() const noexcept { return order_.out; }

 private:
  struct outward final : weft::work {
    explicit outward(guide& g) noexcept : self{g} {}
    void run() noexcept override { self.enter_passage(); }
    guide& self;
  };
  struct homeward final : weft::work {
    explicit homeward(guide& g) noexcept : self{g} {}
    void run() noexcept override { self.call_.came_home(); }
    guide& self;
  };
  struct order final : weft::work {
    explicit order(guide& g) noexcept : self{g} {}
    void run() noexcept override;
    guide& self;
    bool is_outward = false;  // whoever has the order
    bool out = false;         // the caller's
  };

  task<status> layer(std::size_t n, rest_of_call next) override;
  void enter_passage() noexcept {
    call_.entering();
    enter(deadline_);
  }
  void begin_rest(const context& caller) noexcept override;
  void give_up_rest(const status&) noexcept override { call_.give_up_rest(); }
  void passed(status outcome) noexcept override;
  worker& polling() const noexcept;

  guided_call& call_;
  const std::shared_ptr<channel> channel_;
  worker* home_ = nullptr;
  weft::metadata forwarded_;
  call_extras extras_;  // of the call as it leaves
  outward outward_{*this};
  homeward homeward_{*this};
  order order_{*this};
};

}  // namespace detail
}  // namespace weft
