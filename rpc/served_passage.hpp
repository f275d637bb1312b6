#pragma once
#include <cstddef>
#include <string>
#include <vector>
#include <weft/rpc/passage.hpp>
#include <weft/runtime/call_extras.hpp>

namespace weft::detail {

/// A call that has come to a server, by whatever way, around which its middleware stands.
class served_call {
 public:
  virtual const method_info& info() const noexcept = 0;
  virtual call_origin& origin() noexcept = 0;
  /// Before the rest begins.
  virtual void identify(std::string who) noexcept = 0;
  /// Decodes the request and calls the service on behalf of `caller`, whose deadline and annotations the handler inherits.
  /// `served_passage::rest_ended` follows, once, perhaps beneath it.
  virtual void begin_rest(const context& caller) noexcept = 0;
  /// It was begun and has not ended. May come again.
  virtual void give_up_rest(const status& why) noexcept = 0;
  /// Nothing of the middleware runs any more: the call ends with this. Not beneath `served_passage::enter`.
  virtual void passed(const status& outcome) noexcept = 0;

 protected:
  ~served_call() = default;
};

/// A served call on its way through the server's middleware. On the polling worker.
class served_passage final : public passage, incoming {
 public:
  /// `layers` must outlive it.
  served_passage(strand& control, served_call& call, const std::vector<server_middleware>& layers) noexcept
      : passage{control, call.info(), layers.size()}, incoming{call}, layers_{layers} {}

  void enter(time_point deadline);

  /// What the middleware wants said before the first reply, as far as it is known; empty from then on. INTERNAL when it
  /// cannot be sent.
  result<weft::metadata> take_headers();
  /// After it has passed: what can be sent.
  const weft::metadata& trailers() noexcept { return incoming::trailers(); }

 private:
  task<status> layer(std::size_t n, rest_of_call next) override { return layers_[n](*this, next); }
  void begin_rest(const context& caller) noexcept override { call_.begin_rest(caller); }
  void give_up_rest(const status& why) noexcept override { call_.give_up_rest(why); }
  void passed(status outcome) noexcept override;
  status unsendable(const status& why) const;

  const std::vector<server_middleware>& layers_;
};

}  // namespace weft::detail
