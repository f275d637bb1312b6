#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/call.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>

namespace weft::test {

/// What a fake's method does with a call. What is said last holds; `delays` goes with each.
///
///     wallet.Reserve.delays(50ms).fails(weft::unavailable("closed for the night"));
template <class Request, class Reply>
class answer {
 public:
  answer& returns(Reply reply) {
    return answers([reply = std::move(reply)](const Request&) { return reply; });
  }
  /// Requires: `why` is an error.
  answer& fails(status why) {
    return answers([why = std::move(why)](const Request&) { return why; });
  }
  /// `f` makes the answer of the request: a Reply, a status or a result<Reply>. It runs on the fake's strand.
  answer& answers(std::function<result<Reply>(const Request&)> f) {
    make_ = std::move(f);
    hangs_ = false;
    return *this;
  }
  /// The answer comes so much later, unless the call is stopped before.
  answer& delays(duration by) {
    delay_ = by;
    return *this;
  }
  /// No answer comes: the caller's deadline or stop ends the call.
  answer& hangs() {
    hangs_ = true;
    return *this;
  }

 private:
  template <class, class>
  friend class script;

  std::function<result<Reply>(const Request&)> make_;
  duration delay_{0};
  bool hangs_ = false;
};

/// One method of a generated fake: what it answers, and what it was asked. Without a script it answers UNIMPLEMENTED.
///
/// A script holds for calls that come after it. Touch it between two steps of the world; on a runtime with threads before
/// the first call and after the last.
template <class Request, class Reply>
class script : public answer<Request, Reply> {
 public:
  /// `path` names the method; it must outlive this.
  explicit script(const char* path) noexcept : path_{path} {}
  script(const script&) = delete;
  script& operator=(const script&) = delete;

  /// Scripts one call, before what holds for all; several are used up in their order.
  ///
  ///     wallet.Reserve.once().fails(weft::unavailable("starting"));
  ///     wallet.Reserve.returns(hold);                               // from the second call on
  answer<Request, Reply>& once() { return once_.emplace_back(); }

  /// The requests that came, in order of arrival, with those that got no answer.
  const std::vector<Request>& calls() const noexcept { return calls_; }

  /// Handles a call: for the generated fake.
  reply<Reply> play(Request& request) {
    calls_.push_back(request);
    auto now = next();
    if (now.delay_ > duration::zero()) {
      if (auto s = co_await sleep_for(now.delay_); !s.ok()) co_return s;
    }
    if (now.hangs_) co_return co_await never_set_.wait();
    if (!now.make_) co_return unimplemented("the fake of " + std::string{path_} + " has no script");
    co_return now.make_(request);
  }

 private:
  answer<Request, Reply> next() {
    if (once_.empty()) return *this;
    auto first = std::move(once_.front());
    once_.pop_front();
    return first;
  }

  const char* path_;
  std::deque<answer<Request, Reply>> once_;
  std::vector<Request> calls_;
  event never_set_;
};

namespace detail {

/// The end of a generated fake: its calls are aborted. On the test's thread.
inline void end(service& fake) { fake.stop_and_wait(stop_mode::abort); }

}  // namespace detail
}  // namespace weft::test
