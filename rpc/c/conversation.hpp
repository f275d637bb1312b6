#pragma once
#include <google/protobuf/descriptor.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <weft/rpc/c/host.hpp>
#include <weft/rpc/raw_message.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/task.hpp>

namespace weft::c {

/// The program's end of a stream, of a call of its own or of a request to it.
///
/// Both directions are bounded, without ever blocking the program: what it writes is counted until it has been sent
/// (`unsent_`), what has come until it was polled (`unread_`). The counts are the program's threads' and the worker's; all
/// else is the worker's.
class conversation : public target, public std::enable_shared_from_this<conversation> {
 public:
  struct limits {
    std::uint32_t read_ahead;
    std::uint32_t write_ahead;
  };
  /// Types for JSON, or null.
  struct json_types {
    const google::protobuf::Descriptor* sent = nullptr;
    const google::protobuf::Descriptor* received = nullptr;
  };

  // The program's, any thread.

  /// Errors: those of weft_stream_write.
  status write(std::string_view message);
  void end_writes();
  void drop_what_comes();

  result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) override;
  result<raw_stream> open(const named_method& m, call_options options) override;

 protected:
  conversation(kind k, std::shared_ptr<host> owner, limits l, json_types json, std::uint64_t user)
      : target{k, std::move(owner)}, limits_{l}, json_{json}, user_{user} {}

  // The worker's.

  /// Sends what the program writes, until that ends or a message cannot be sent.
  task<> send();
  /// Tells the program what comes, until the end; an error when a message cannot be told.
  task<status> receive();
  void say_last(raw_message m) { std::ignore = outgoing_.try_push(std::move(m)); }
  void close_writes() { outgoing_.close(); }
  /// An event about it.
  event about(weft_event_type type) const;
  const json_types& json() const noexcept { return json_; }
  std::uint64_t user() const noexcept { return user_; }
  std::atomic<bool>& writes_ended() noexcept { return writes_ended_; }

 private:
  virtual task<status> put(raw_message m) = 0;
  virtual task<std::optional<raw_message>> get() = 0;
  virtual void no_more_writes() {}

  void polled();

  const limits limits_;
  const json_types json_;
  const std::uint64_t user_;
  std::atomic<std::uint32_t> unsent_{0};
  std::atomic<std::uint32_t> unread_{0};
  std::atomic<bool> wants_room_{false};
  std::atomic<bool> writes_ended_{false};
  std::atomic<bool> dropping_{false};
  queue<raw_message> outgoing_{std::numeric_limits<std::size_t>::max()};
  weft::event room_;  // to tell the program of more
};

}  // namespace weft::c
