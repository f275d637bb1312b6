#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/clock.hpp>

namespace weft {

/// `co_await cards.Play(request, weft::within{2s})`: this call's own time limit.
struct within {
  explicit constexpr within(duration limit) noexcept : limit{limit} {}
  duration limit;
};

/// What can be said about one call: `weft::call_options{weft::within{2s}}.with("x-player", id)`. Converts from `within`.
/// Each of its functions gives back the options, changed. (Constructors, not an aggregate: g++ 12 destroys aggregates in a
/// co_await expression twice.)
class call_options {
 public:
  /// Every call has a deadline.
  static constexpr duration default_limit = std::chrono::seconds{5};

  call_options() noexcept = default;
  call_options(within w) noexcept : limit_{w.limit} {}
  call_options(const call_options& other)
      : limit_{other.limit_}, extras_{other.extras_ ? std::make_unique<call_extras>(*other.extras_) : nullptr} {}
  call_options(call_options&&) noexcept = default;
  call_options& operator=(call_options other) noexcept {
    limit_ = other.limit_;
    extras_ = std::move(other.extras_);
    return *this;
  }
  ~call_options() = default;

  /// Metadata for the handler, who finds it in `this_call`. A call whose metadata cannot be sent fails with
  /// INVALID_ARGUMENT, which names the key.
  call_options with(std::string_view key, std::string value) && {
    extras().sent.add(key, std::move(value));
    return std::move(*this);
  }
  /// Metadata of the reply, that before it and that after it, go there when the call has ended with what the handler
  /// returned, also with an error; nothing when it ended before. The targets must live until then.
  call_options headers_into(metadata& target) && {
    extras().headers_into = &target;
    return std::move(*this);
  }
  call_options trailers_into(metadata& target) && {
    extras().trailers_into = &target;
    return std::move(*this);
  }
  /// When the call has ended: false if the method surely did not run, so that calling again repeats nothing; true if it ran,
  /// or nobody can know. The target must live until then.
  call_options may_have_run_into(bool& target) && {
    extras().may_have_run_into = &target;
    return std::move(*this);
  }
  /// While the peer cannot be reached the call waits, until its deadline, instead of failing with UNAVAILABLE.
  call_options wait_for_ready() && {
    extras().wait_for_ready = true;
    return std::move(*this);
  }
  /// Requests are compressed on their way through a network.
  call_options compress(compression c) && {
    extras().compress_request = c;
    return std::move(*this);
  }

  /// Whether the reply came compressed, as `headers_into`.
  call_options came_compressed_into(bool& target) && {
    extras().came_compressed_into = &target;
    return std::move(*this);
  }

  duration limit() const noexcept { return limit_; }
  /// For what makes calls: what there is beside the limit, if anything; theirs from now on.
  std::unique_ptr<call_extras> take_extras() noexcept { return std::move(extras_); }

 private:
  call_extras& extras() {
    if (!extras_) extras_ = std::make_unique<call_extras>();
    return *extras_;
  }

  duration limit_ = default_limit;
  std::unique_ptr<call_extras> extras_;
};

}  // namespace weft
