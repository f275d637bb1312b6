#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>
#include <weft/rpc/c/conversation.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/this_call.hpp>

namespace weft::c {

/// A call of a service of the program's, from its event until it is answered or nobody waits for it any more.
class request final : public conversation {
 public:
  struct from {
    weft_handle service;
    std::uint64_t user;
    limits ahead;
    json_types json;
    bool streams;
  };
  request(std::shared_ptr<host> owner, const from& f)
      : conversation{kind::request, std::move(owner), f.ahead, f.json, f.user},
        service_{f.service},
        streams_{f.streams} {}

  // What weft_reply and weft_fail hand over.
  struct answer {
    status outcome;
    std::optional<std::string> reply;
    metadata headers;
    metadata trailers;
  };
  /// Any thread, once. CANCELLED: nobody waits any more.
  status answered(answer a);
  /// Null: bytes.
  const google::protobuf::Descriptor* reply_type() const noexcept { return json().sent; }
  bool streams() const noexcept { return streams_; }

  // The handler's, on the worker.

  /// Tells the program, and ends when it has answered, or the handler is stopped; yields what to reply.
  task<result<std::string>> serve(const handled_call& call, context& ctx, std::string bytes);
  /// The same of a method that streams.
  task<status> serve(const handled_call& call, context& ctx, reader<raw_message>& in, writer<raw_message>& out);

  // On the worker.

  /// Null when the handler has ended.
  const context* context_of_handler() const noexcept { return ctx_; }
  /// Its end cancels this too.
  void calls(std::weak_ptr<object> call) { calls_.push_back(std::move(call)); }

  result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) override;

 private:
  enum class state : std::uint8_t { open, answered, cancelled };

  struct handler_ended;
  event arrival(const handled_call& call);
  static task<> both_ways(request* r, scope& both);
  task<> listen();
  void over(const status& why);
  task<status> put(raw_message m) override { return out_->write(std::move(m)); }
  task<std::optional<raw_message>> get() override { return in_->read(); }

  const weft_handle service_;
  const bool streams_;
  std::atomic<state> state_{state::open};
  const handled_call* call_ = nullptr;
  const context* ctx_ = nullptr;
  reader<raw_message>* in_ = nullptr;
  writer<raw_message>* out_ = nullptr;
  weft::event done_;
  answer answer_;
  std::optional<session_lane> caller_;
  std::vector<std::weak_ptr<object>> calls_;
};

}  // namespace weft::c
