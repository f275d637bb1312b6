#include <weft/rpc/c/conversation.hpp>

#include <tuple>
#include <utility>
#include <weft/rpc/c/call.hpp>

namespace weft::c {

// A place is taken before the message is on its way. Whoever finds none says so first and then looks again, so that either it
// finds one, or the worker, which frees a place and then looks, tells it.
status conversation::write(std::string_view message) {
  if (writes_ended_) return failed_precondition("nothing can be written after the last message");
  auto bytes = to_bytes(owner().types(), json_.sent, message);
  if (!bytes.ok()) return bytes.status();
  for (auto n = unsent_.load();;) {
    if (n >= limits_.write_ahead) {
      wants_room_ = true;
      n = unsent_.load();
      if (n >= limits_.write_ahead) {
        return resource_exhausted(std::to_string(n) + " messages wait to be sent: WEFT_EVENT_STREAM_WRITABLE follows");
      }
    }
    if (unsent_.compare_exchange_weak(n, n + 1)) break;
  }
  owner().post([self = shared_from_this(), m = raw_message{std::move(*bytes)}]() mutable {
    std::ignore = self->outgoing_.try_push(std::move(m));
  });
  return {};
}

void conversation::end_writes() {
  writes_ended_ = true;
  owner().post([self = shared_from_this()] { self->close_writes(); });
}

void conversation::drop_what_comes() {
  dropping_ = true;
  owner().post([self = shared_from_this()] { self->room_.set(); });
}

result<held_call<unparsed>> conversation::make(const named_method&, const unparsed&, order) {
  return failed_precondition("its caller cannot be called");
}
result<raw_stream> conversation::open(const named_method&, call_options) {
  return failed_precondition("methods of a caller that stream cannot be called");
}

event conversation::about(weft_event_type type) const {
  event e;
  e.type = type;
  e.about = handle();
  e.user = user_;
  return e;
}

task<> conversation::send() {
  for (;;) {
    auto next = co_await outgoing_.pop();
    if (!next) break;
    const auto sent = co_await put(std::move(*next));
    --unsent_;
    if (wants_room_.exchange(false)) owner().events().put(about(WEFT_EVENT_STREAM_WRITABLE));
    if (!sent.ok()) break;
  }
  writes_ended_ = true;
  no_more_writes();
}

task<status> conversation::receive() {
  for (;;) {
    while (unread_ >= limits_.read_ahead && !dropping_) {
      room_.reset();
      if (unread_ < limits_.read_ahead || dropping_) break;
      const auto waited = co_await room_.wait();
      if (!waited.ok()) co_return status{};  // stopped: what it ended with is said elsewhere
    }
    auto next = co_await get();
    if (!next) co_return status{};
    if (dropping_) continue;
    auto data = from_bytes(owner().types(), json_.received, std::move(next->bytes));
    if (!data.ok()) co_return data.status();
    auto e = about(WEFT_EVENT_STREAM_MESSAGE);
    e.data = std::move(*data);
    e.when_polled = [self = shared_from_this()] { self->polled(); };
    ++unread_;
    owner().events().put(std::move(e));
  }
}

void conversation::polled() {
  if (unread_-- != limits_.read_ahead) return;
  owner().post([self = shared_from_this()] { self->room_.set(); });
}

}  // namespace weft::c

using namespace weft::c;

int weft_stream_write(weft_handle stream, const void* message, size_t size) {
  return with<conversation>(stream, [&](const auto& c) {
    const auto given = take_bytes(message, size, "message");
    return given.ok() ? as_code(c->write(*given)) : fail(given.status());
  });
}
