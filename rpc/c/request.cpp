#include <weft/rpc/c/request.hpp>

#include <tuple>
#include <utility>
#include <weft/rpc/c/call.hpp>
#include <weft/rpc/session/session_call.hpp>

namespace weft::c {

// The handler's frame goes, and with it what the request knows of it.
struct request::handler_ended {
  explicit handler_ended(request& r) noexcept : self{r} {}
  ~handler_ended() {
    self.ctx_ = nullptr;
    self.call_ = nullptr;
  }
  request& self;
};

event request::arrival(const handled_call& call) {
  auto e = about(WEFT_EVENT_REQUEST);
  e.service = service_;
  e.method = call.method();
  e.headers = call.metadata();
  e.peer = call.peer();
  e.identity = call.identity();
  e.streams = streams_;
  if (call.deadline() != never) {
    const auto left = call.deadline() - owner().home().now();
    e.time_left_us = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(left).count());
  }
  return e;
}

task<result<std::string>> request::serve(const handled_call& call, context& ctx, std::string bytes) {
  auto data = from_bytes(owner().types(), json().received, std::move(bytes));
  if (!data.ok()) co_return invalid_argument(data.status().message());
  const handler_ended guard{*this};
  call_ = &call;
  ctx_ = &ctx;
  if (call.way_back()) caller_ = caller_session(call);
  handles::all().add(shared_from_this());
  auto e = arrival(call);
  e.data = std::move(*data);
  owner().events().put(std::move(e));
  const auto waited = co_await done_.wait();
  if (!waited.ok()) {
    over(cancelled("nobody waits for it any more"));
    co_return waited;
  }
  if (!answer_.outcome.ok()) co_return answer_.outcome;
  co_return std::move(*answer_.reply);
}

task<status> request::serve(const handled_call& call, context& ctx, reader<raw_message>& in, writer<raw_message>& out) {
  const handler_ended guard{*this};
  call_ = &call;
  ctx_ = &ctx;
  in_ = &in;
  out_ = &out;
  if (call.way_back()) caller_ = caller_session(call);
  handles::all().add(shared_from_this());
  owner().events().put(arrival(call));
  co_await with_scope(&request::both_ways, this);
  if (!done_.is_set()) over(cancelled("nobody waits for it any more"));
  co_return answer_.outcome;
}

task<> request::both_ways(request* r, scope& both) {
  std::ignore = both.start(r->listen(), "stream requests");
  co_await r->send();
  both.stop();
}

task<> request::listen() {
  auto told = co_await receive();
  if (told.ok()) {
    if (state_ != state::open || ctx_->stopped()) co_return;  // that is no end of the requests
    owner().events().put(about(WEFT_EVENT_STREAM_DONE));
    co_return;
  }
  over(invalid_argument(told.message()));
  close_writes();
}

void request::over(const status& why) {
  for (const auto& weak : std::exchange(calls_, {})) {
    if (const auto call = weak.lock()) dynamic_cast<under_way&>(*call).give_up(why);
  }
  auto expected = state::open;
  if (!state_.compare_exchange_strong(expected, state::cancelled)) return;
  answer_.outcome = why;
  auto e = about(WEFT_EVENT_REQUEST_CANCELLED);
  e.service = service_;
  e.ended_with(why);
  e.last = true;
  owner().events().put(std::move(e));
}

status request::answered(answer a) {
  auto expected = state::open;
  if (!state_.compare_exchange_strong(expected, state::answered)) {
    return expected == state::cancelled ? cancelled("nobody waits for this request any more")
                                        : failed_precondition("this request was answered before");
  }
  writes_ended() = true;
  handles::all().remove(handle());
  owner().post([self = shared_from_this(), this, a = std::move(a)]() mutable {
    if (call_ == nullptr) return;
    answer_ = std::move(a);
    for (const auto& [key, value] : answer_.headers) call_->headers().add(key, value);
    for (const auto& [key, value] : answer_.trailers) call_->trailers().add(key, value);
    if (out_ != nullptr) {
      if (answer_.reply && answer_.outcome.ok()) say_last({std::move(*answer_.reply)});
      close_writes();
    }
    done_.set();
  });
  return {};
}

result<held_call<unparsed>> request::make(const named_method& m, const unparsed& message, order) {
  if (!caller_)
    return failed_precondition("the call came in another way than over a session: its caller cannot be called");
  return held_call<unparsed>{new session_call<unparsed>{caller_->outlet(), caller_->order(), m.info, message}};
}

namespace {

result<request::answer> take_answer(const weft_reply_options* options, status outcome) {
  const auto said = take(options, "weft_reply_options");
  if (!said.ok()) return said.status();
  request::answer a;
  auto headers = take_metadata(said->headers, said->headers_count);
  if (!headers.ok()) return headers.status();
  auto trailers = take_metadata(said->trailers, said->trailers_count);
  if (!trailers.ok()) return trailers.status();
  const auto details = take_bytes(said->details, said->details_size, "details");
  if (!details.ok()) return details.status();
  a.headers = std::move(*headers);
  a.trailers = std::move(*trailers);
  a.outcome = status{outcome.code(), outcome.message(), std::string{*details}};
  return a;
}

}  // namespace
}  // namespace weft::c

using namespace weft::c;

int weft_reply(weft_handle request, const void* reply, size_t reply_size, const weft_reply_options* options) {
  return with<weft::c::request>(request, [&](const auto& r) {
    auto a = take_answer(options, {});
    if (!a.ok()) return fail(a.status());
    const auto given = take_bytes(reply, reply_size, "reply");
    if (!given.ok()) return fail(given.status());
    if (reply != nullptr || !r->streams()) {
      auto bytes = to_bytes(r->owner().types(), reply != nullptr ? r->reply_type() : nullptr, *given);
      if (!bytes.ok()) return fail(bytes.status());
      a->reply = std::move(*bytes);
    }
    return as_code(r->answered(std::move(*a)));
  });
}

int weft_fail(weft_handle request, int code, const char* text, const weft_reply_options* options) {
  return with<weft::c::request>(request, [&](const auto& r) {
    if (code < WEFT_CANCELLED || code > WEFT_UNAUTHENTICATED) {
      return fail(WEFT_INVALID_ARGUMENT, std::to_string(code) + " is no code of an error: those are 1 to 16");
    }
    auto a = take_answer(options, {static_cast<weft::code>(code), text_or_empty(text)});
    if (!a.ok()) return fail(a.status());
    return as_code(r->answered(std::move(*a)));
  });
}
