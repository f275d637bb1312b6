#include <weft/rpc/c/stream.hpp>

#include <algorithm>
#include <tuple>
#include <utility>
#include <weft/rpc/c/request.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft::c {
namespace {

conversation::json_types types_of(const call_plan& plan) {
  if (plan.described == nullptr) return {};
  return {plan.described->input_type(), plan.described->output_type()};
}

}  // namespace

stream::stream(std::shared_ptr<host> owner, call_plan plan)
    : conversation{kind::stream, std::move(owner), {plan.read_ahead, plan.write_ahead}, types_of(plan), plan.user},
      plan_{std::move(plan)} {}

task<> stream::run(std::shared_ptr<stream> s) {
  auto& owner = s->owner();
  owner.in_flight().insert(s.get());
  auto& plan = s->plan_;
  metadata trailers;
  s->outcome_ = s->given_up_;
  if (plan.on_behalf_of) {
    if (const auto* ctx = plan.on_behalf_of->context_of_handler()) {
      plan.on_behalf_of->calls(s);
      if (ctx->deadline() != never) plan.limit = std::min(plan.limit, ctx->deadline() - owner.rt().time().now());
    } else {
      s->outcome_ = cancelled("the request on whose behalf it was made is over");
    }
  }
  if (s->outcome_.ok()) {
    auto opened = plan.to->open(*plan.method, plan.options());
    if (opened.ok()) {
      s->talk_ = &*opened;
      co_await with_scope(&stream::both_ways, s.get());
      s->talk_ = nullptr;
      trailers = opened->trailers();
    } else {
      s->outcome_ = opened.status();
    }
  }
  owner.in_flight().erase(s.get());
  auto e = s->about(WEFT_EVENT_STREAM_END);
  e.ended_with(s->outcome_);
  e.method = plan.method->path;
  e.trailers = std::move(trailers);
  e.last = true;
  owner.events().put(std::move(e));
  plan.on_behalf_of.reset();
  plan.to.reset();
}

task<> stream::both_ways(stream* s, scope& both) {
  std::ignore = both.start(s->send(), "stream writes");
  co_await s->listen();
  both.stop();  // whoever still waits for something to write
}

task<> stream::listen() {
  auto headers = co_await talk_->headers();
  if (!headers.empty()) {
    auto e = about(WEFT_EVENT_STREAM_HEADERS);
    e.headers = std::move(headers);
    owner().events().put(std::move(e));
  }
  const auto told = co_await receive();
  if (!told.ok()) talk_->cancel();
  outcome_ = co_await talk_->finish();
  if (!told.ok()) outcome_ = told;
}

task<status> stream::put(raw_message m) { return talk_->write(std::move(m)); }
task<std::optional<raw_message>> stream::get() { return talk_->read(); }
void stream::no_more_writes() { talk_->writes_done(); }

void stream::give_up(status why) noexcept {
  if (talk_ != nullptr) {
    talk_->cancel();
  } else {
    given_up_ = std::move(why);
  }
}

}  // namespace weft::c

using namespace weft::c;

int weft_stream_open(weft_handle to, const char* method, const weft_call_options* options, weft_handle* stream) {
  return with<object>(to, [&](const auto& where) {
    if (stream == nullptr) return fail(WEFT_INVALID_ARGUMENT, "stream is NULL");
    call_plan plan;
    if (const int code = plan_call(where, method, options, plan); code != WEFT_OK) return code;
    if (plan.described != nullptr && !plan.described->client_streaming() && !plan.described->server_streaming()) {
      return fail(WEFT_INVALID_ARGUMENT, plan.method->path.substr(1) + " does not stream: use weft_call");
    }
    auto owner = plan.to->shared_owner();
    const auto made = std::make_shared<weft::c::stream>(owner, std::move(plan));
    *stream = handles::all().add(made);
    weft::spawn(owner->rt().control(), "stream", &weft::c::stream::run, made);
    return static_cast<int>(WEFT_OK);
  });
}

int weft_stream_writes_done(weft_handle stream) {
  return with<conversation>(stream, [&](const auto& s) {
    if (s->what() == kind::request) return bad_handle(stream, s.get());
    s->end_writes();
    return static_cast<int>(WEFT_OK);
  });
}

int weft_stream_finish(weft_handle stream) {
  return with<conversation>(stream, [&](const auto& s) {
    if (s->what() == kind::request) return bad_handle(stream, s.get());
    s->drop_what_comes();
    s->end_writes();
    return static_cast<int>(WEFT_OK);
  });
}
