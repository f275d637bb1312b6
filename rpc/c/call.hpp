#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/c/host.hpp>
#include <weft/runtime/call_options.hpp>

namespace weft::c {

class request;

/// `weft_call_options` as they are used.
struct call_plan {
  std::shared_ptr<target> to;
  const named_method* method = nullptr;
  const google::protobuf::MethodDescriptor* described = nullptr;  // for JSON; null for bytes
  std::uint64_t user = 0;
  duration limit = call_options::default_limit;
  time_point until = never;
  metadata sent = {};
  bool wait_for_ready = false;
  bool one_way = false;
  target::order order = {};
  std::shared_ptr<request> on_behalf_of = {};
  std::uint32_t read_ahead = 16;
  std::uint32_t write_ahead = 64;

  call_options options() const;
};

duration limit_of(const weft_call_options& said);

/// What `to`, a target or a runtime, and the options say. `plan.to`'s runtime does not end meanwhile. Errors: those of
/// weft_call; a handle of the options that is none is a WEFT_BAD_HANDLE, which is why this gives back a code.
int plan_call(const std::shared_ptr<object>& to, const char* method, const weft_call_options* options, call_plan& plan);

/// A message of the program as bytes. INVALID_ARGUMENT: JSON that is none.
result<std::string> to_bytes(const types& known, const google::protobuf::Descriptor* type, std::string_view message);
/// The reverse: INTERNAL.
result<std::string> from_bytes(const types& known, const google::protobuf::Descriptor* type, std::string bytes);

/// A unary call of the program's, from weft_call to its event. On the worker, but for `cancel`.
class pending_call final : public object,
                           public std::enable_shared_from_this<pending_call>,
                           public under_way,
                           call_listener {
 public:
  pending_call(std::shared_ptr<host> owner, call_plan plan)
      : object{kind::call, std::move(owner)}, plan_{std::move(plan)} {}

  void begin(const unparsed& request);
  void give_up(status why) noexcept override;

 private:
  void completed() noexcept override;
  void end(const status& outcome, std::string reply);

  call_plan plan_;
  std::shared_ptr<pending_call> self_;  // while it is under way
  held_call<unparsed> operation_;
  metadata headers_;
  metadata trailers_;
  bool may_have_run_ = false;
  bool giving_up_ = false;
};

}  // namespace weft::c
