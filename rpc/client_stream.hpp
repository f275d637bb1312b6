#pragma once
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <weft/rpc/stream.hpp>
#include <weft/runtime/sleep.hpp>

namespace weft {

namespace detail {

// What the three kinds of streaming calls share. It begins when it is first used.
template <class Request, class Reply>
class client_stream {
 public:
  client_stream(client_stream&&) noexcept = default;
  client_stream& operator=(client_stream&&) = delete;
  ~client_stream() {
    if (!operation_ || !operation_->begun()) return;
    give_up(cancelled("the stream was dropped"));
    replies_.refuse(cancelled("nobody reads any more"));
  }

 protected:
  client_stream(outgoing_stream<Request, Reply> to, call_options options) noexcept
      : limit_{options.limit()},
        operation_{std::move(to.operation)},
        end_{to.end},
        requests_{std::move(to.requests)},
        replies_{std::move(to.replies)} {
    operation_->carries(options.take_extras());
  }

  // True when it has begun now.
  bool begin(const context& ctx) noexcept {
    if (operation_->begun() || operation_->settled()) return false;
    operation_->tell(*end_);
    operation_->begin(ctx, limit_);
    return true;
  }
  writer<Request>& requests() noexcept { return requests_; }
  reader<Reply>& replies() noexcept { return replies_; }
  task<> start() {
    auto& ctx = co_await current();
    begin(ctx);
  }
  void cancel() noexcept {
    if (!operation_->begun()) operation_->tell(*end_);
    give_up(cancelled("the caller cancelled the call"));
  }
  bool came_compressed() const noexcept { return replies_.came_compressed(); }
  void give_up(status why) noexcept { operation_->give_up(std::move(why)); }

  task<metadata> headers() {
    auto& ctx = co_await current();
    begin(ctx);
    std::ignore = co_await end_->headers_known().wait();
    co_return end_->headers();
  }
  metadata trailers() const {
    const auto* extras = operation_->settled() ? operation_->arrived_extras() : nullptr;
    return extras != nullptr ? extras->trailers : metadata{};
  }

  // Ends the requests, drops the replies that come, and waits for the status.
  task<status> outcome() {
    if (!outcome_) {
      auto& ctx = co_await current();
      begin(ctx);
      requests_.end();
      replies_.discard();
      if (!replies_.malformed().ok()) give_up(internal_error(replies_.malformed().message()));
      if (auto s = co_await end_->settled().wait(); !s.ok()) give_up(cancelled("the calling task was stopped"));
      replies_.refuse(failed_precondition("the call is over"));
      if (!outcome_) outcome_ = status_of(operation_->take());
    }
    co_return *outcome_;
  }

 private:
  duration limit_;
  held_call<unit> operation_;
  stream_end* end_;
  writer<Request> requests_;
  reader<Reply> replies_;
  std::optional<status> outcome_;
};

}  // namespace detail

// Each kind of call begins when it is first used, on behalf of the task that uses it; only tasks of that strand may use it.
// Its limit (5 s unless it is told otherwise: `within{duration::max()}` for a subscription) is that of the whole call, and the task's
// deadline holds too. A handle that is dropped before the call is over cancels it: the handler's task is stopped.

/// A call of a method that answers with a stream: `while (auto event = co_await feed.read()) …; co_await feed.finish()`.
template <class Request, class Reply>
class [[nodiscard]] client_reader final : detail::client_stream<Request, Reply> {
 public:
  client_reader(detail::outgoing_stream<Request, Reply> to, Request request, call_options options)
      : detail::client_stream<Request, Reply>{std::move(to), std::move(options)}, request_{std::move(request)} {}

  /// The next reply; empty at the end of the call, whatever it ended with, and when the task was stopped.
  task<std::optional<Reply>> read() {
    auto& ctx = co_await current();
    co_await ask(ctx);
    co_return co_await this->replies().read();
  }
  /// Waits for the end of the call, dropping the replies that were not read. Yields its status: the handler's,
  /// DEADLINE_EXCEEDED, CANCELLED (the task was stopped), UNAVAILABLE, or INTERNAL (a reply was no such message).
  task<status> finish() {
    auto& ctx = co_await current();
    co_await ask(ctx);
    co_return co_await this->outcome();
  }
  /// What the handler sent before its first reply: waits for it. Empty too when the call or the task ended before.
  task<metadata> headers() {
    auto& ctx = co_await current();
    co_await ask(ctx);
    co_return co_await detail::client_stream<Request, Reply>::headers();
  }
  /// What the handler sent with its status; after `finish`.
  using detail::client_stream<Request, Reply>::trailers;
  /// Ends the call: its handler is stopped, and `finish` is CANCELLED. One that has not begun never does.
  using detail::client_stream<Request, Reply>::cancel;
  /// As `reader::came_compressed`.
  using detail::client_stream<Request, Reply>::came_compressed;

 private:
  task<> ask(const context& ctx) {
    if (!this->begin(ctx)) co_return;
    auto s = co_await this->requests().write(std::move(request_));
    if (!s.ok()) this->give_up(std::move(s));
    this->requests().end();
  }
  Request request_;
};

/// A call of a method that takes a stream and answers once.
template <class Request, class Reply>
class [[nodiscard]] client_writer final : detail::client_stream<Request, Reply> {
 public:
  client_writer(detail::outgoing_stream<Request, Reply> to, call_options options) noexcept
      : detail::client_stream<Request, Reply>{std::move(to), std::move(options)} {}

  /// As `writer::write`. FAILED_PRECONDITION also when the handler has answered already: `finish` says what.
  task<status> write(Request request) {
    auto& ctx = co_await current();
    this->begin(ctx);
    co_return co_await this->requests().write(std::move(request));
  }
  /// As `writer::write_uncompressed`.
  task<status> write_uncompressed(Request request) {
    auto& ctx = co_await current();
    this->begin(ctx);
    co_return co_await this->requests().write_uncompressed(std::move(request));
  }
  /// That was the last request: waits for the reply. Once. Errors as those of a unary call.
  task<result<Reply>> finish() {
    auto& ctx = co_await current();
    this->begin(ctx);
    this->requests().end();
    auto reply = co_await this->replies().read();
    auto s = co_await this->outcome();
    if (!s.ok()) co_return s;
    if (!reply) co_return internal_error("the call ended without a reply");
    co_return std::move(*reply);
  }
  /// Begins the call, without sending anything yet.
  using detail::client_stream<Request, Reply>::start;
  /// As those of `client_reader`.
  using detail::client_stream<Request, Reply>::came_compressed;
  using detail::client_stream<Request, Reply>::cancel;
  using detail::client_stream<Request, Reply>::headers;
  using detail::client_stream<Request, Reply>::trailers;
};

/// A call of a method that takes a stream and answers with one; both are independent of each other.
template <class Request, class Reply>
class [[nodiscard]] client_reader_writer final : detail::client_stream<Request, Reply> {
 public:
  client_reader_writer(detail::outgoing_stream<Request, Reply> to, call_options options) noexcept
      : detail::client_stream<Request, Reply>{std::move(to), std::move(options)} {}

  /// As `client_reader::read`.
  task<std::optional<Reply>> read() {
    auto& ctx = co_await current();
    this->begin(ctx);
    co_return co_await this->replies().read();
  }
  /// As `writer::write`.
  task<status> write(Request request) {
    auto& ctx = co_await current();
    this->begin(ctx);
    co_return co_await this->requests().write(std::move(request));
  }
  /// As `writer::write_uncompressed`.
  task<status> write_uncompressed(Request request) {
    auto& ctx = co_await current();
    this->begin(ctx);
    co_return co_await this->requests().write_uncompressed(std::move(request));
  }
  /// That was the last request; replies can still be read.
  void writes_done() noexcept { this->requests().end(); }
  /// As `client_reader::finish`; ends the requests too.
  task<status> finish() { return this->outcome(); }
  /// Begins the call, without sending anything yet.
  using detail::client_stream<Request, Reply>::start;
  /// As those of `client_reader`.
  using detail::client_stream<Request, Reply>::came_compressed;
  using detail::client_stream<Request, Reply>::cancel;
  using detail::client_stream<Request, Reply>::headers;
  using detail::client_stream<Request, Reply>::trailers;
};

}  // namespace weft
