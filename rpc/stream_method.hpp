#pragma once
#include <memory>
#include <type_traits>
#include <utility>
#include <weft/rpc/method.hpp>
#include <weft/rpc/stream.hpp>
#include <weft/runtime/local_call.hpp>

namespace weft {

/// How a handler of a streaming method looks.
template <class Service, class Request, class Reply>
struct stream_handlers {
  using server_streaming = task<status> (Service::*)(Request&, writer<Reply>&);
  using client_streaming = reply<Reply> (Service::*)(reader<Request>&);
  using bidi_streaming = task<status> (Service::*)(reader<Request>&, writer<Reply>&);
};

namespace detail {

/// A call of a streaming method of a service in this process. `Sent` and `Answered` are what its pipes carry: the messages
/// themselves, or bytes when the caller is the server.
///
/// The pipes run between the caller's worker and the service's, beside the call, whose outcome is the stream's status: it
/// follows what the handler wrote, and both keep their order on the way.
template <class Service, class Request, class Reply, class Handler, class Sent, class Answered>
class stream_method final : public local_call<unit>, public stream_end, reply_head, malformed_end {
 public:
  stream_method(Service& to, const method_info& info, Handler handler)
      : local_call<unit>{to, info.path}, handler_{handler} {}

  const std::shared_ptr<pipe<Sent>>& requests() const noexcept { return requests_; }
  const std::shared_ptr<pipe<Answered>>& replies() const noexcept { return replies_; }

  void cut(const status& why) noexcept override {
    requests_->cut(why);
    replies_->close();
  }

 private:
  status depart(worker& home, time_point deadline, const context* caller) noexcept override {
    auto& there = this->to().strand().home();
    requests_->connect(home, there);
    replies_->connect(there, home);
    return local_call<unit>::depart(home, deadline, caller);
  }

  weft::reply<unit> make_handler() override { return handle(); }

  void reads_no_further() noexcept override { this->own_context().stop(); }
  void goes_first() override {
    if (this->extras_if_any() != nullptr) return send_headers();
    if (std::exchange(headers_sent_, true)) return;
    if (!headers_observed()) tell_headers_home({}, compression::none);  // somebody may wait to know that there are none
  }
  void send_headers() override {
    if (std::exchange(headers_sent_, true)) return;
    auto& extras = this->extras_here();
    if (extras.headers.check().ok()) tell_headers_home(extras.headers, extras.compress_reply);  // else the call ends
  }
  void tell_headers_home(metadata headers, compression replies) {
    if (this->same_worker()) return headers_came(std::move(headers), replies);
    auto* parcel = new headers_parcel{*this, std::move(headers), replies};
    if (!this->caller_home().submit(*parcel)) delete parcel;
  }

  // When the handler is gone, whatever way it went, nobody reads its requests and nothing follows its replies.
  struct at_end {
    ~at_end() {
      self.goes_first();
      in.refuse(failed_precondition("the handler has ended"));
      out.end();
    }
    stream_method& self;
    reader<Request>& in;
    writer<Reply>& out;
  };

  weft::reply<unit> handle() {
    if constexpr (opened == pipe<Sent>::opened::by_reader) requests_->open();
    reader<Request> in{either_pipe<Request>{requests_}, this};
    writer<Reply> out{either_pipe<Reply>{replies_}, this};
    const at_end guard{*this, in, out};
    auto& service = static_cast<Service&>(this->to());
    status outcome;
    if constexpr (std::is_same_v<Handler, typename stream_handlers<Service, Request, Reply>::server_streaming>) {
      auto request = co_await in.read();
      if (request) {
        outcome = co_await (service.*handler_)(*request, out);
      } else if (in.malformed().ok()) {
        outcome = invalid_argument("the request is missing");
      }
    } else if constexpr (std::is_same_v<Handler, typename stream_handlers<Service, Request, Reply>::client_streaming>) {
      auto reply = co_await (service.*handler_)(in);
      outcome = reply.ok() ? co_await out.write(std::move(*reply)) : reply.status();
    } else {
      outcome = co_await (service.*handler_)(in, out);
    }
    if (!in.malformed().ok()) co_return in.malformed();
    if (!outcome.ok()) co_return outcome;
    co_return unit{};
  }

  Handler handler_;
  bool headers_sent_ = false;
  // A call that waits in the mailbox takes nothing from the network, which has no other bound on its bytes.
  static constexpr auto opened =
      std::is_same_v<Sent, stream_bytes> ? pipe<Sent>::opened::by_reader : pipe<Sent>::opened::at_once;
  const std::shared_ptr<pipe<Sent>> requests_ = std::make_shared<pipe<Sent>>(stream_limit, opened);
  const std::shared_ptr<pipe<Answered>> replies_ = std::make_shared<pipe<Answered>>(stream_limit);
};

}  // namespace detail
}  // namespace weft
