#pragma once
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/session/batch_pace.hpp>
#include <weft/rpc/session/batch_reader.hpp>
#include <weft/rpc/session/batch_writer.hpp>
#include <weft/rpc/session/call_rules.hpp>
#include <weft/rpc/session/id_table.hpp>
#include <weft/rpc/session/key_hash.hpp>
#include <weft/rpc/session/key_lineup.hpp>
#include <weft/rpc/session/sent_calls.hpp>
#include <weft/rpc/session/session_item.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/work.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

class rpc_service;
struct served_method;

namespace detail {

class session_served_call;
class server_origin;

/// What one end of a session takes, and what it serves there.
class session_host {
 public:
  struct offer {
    rpc_service* service = nullptr;  ///< Null: no such method.
    const served_method* method = nullptr;
  };
  virtual offer find(std::string_view path) noexcept = 0;
  /// Before a call's request is decoded; `left` once for each, whatever it said.
  virtual status admit(server_origin& call, const char* path) = 0;
  virtual void left(server_origin& call) noexcept = 0;
  /// The connection's.
  virtual const grpc::ServerContext* stream_context() const noexcept = 0;
  virtual std::string stream_peer() const = 0;
  /// Metadata that came with the stream.
  virtual metadata stream_metadata() const = 0;
  /// For calls back: a session_outlet, or null.
  virtual std::shared_ptr<session_outlet> outlet_back() = 0;
  /// Around each call that is served.
  virtual const std::vector<server_middleware>& middleware() const noexcept = 0;
  virtual void count_malformed() noexcept = 0;
  virtual void count_unimplemented() noexcept = 0;

  // What the wire has to tell.

  /// More calls may be sent than before.
  virtual void window_opened() noexcept = 0;
  /// A call of a key without gaps did not run, or nobody knows that it did.
  virtual void gap(std::uint64_t key) noexcept = 0;
  /// A call that was sent is surely not run, because the other side is going away; the host's again.
  virtual void returned(session_item& item) noexcept = 0;
  /// The other side begins nothing new.
  virtual void peer_goes_away() noexcept = 0;
  /// After that: a call of the key was answered.
  virtual void key_answered(std::uint64_t key) noexcept = 0;
  /// A reading or writing operation has ended, or a call that was served: the stream may be able to end now.
  virtual void progressed() noexcept = 0;

 protected:
  ~session_host() = default;
};

struct session_limits {
  session_window window;                            ///< Calls that are served at once, and the bytes of their requests.
  std::uint64_t batch_bytes = default_batch_bytes;  ///< The largest batch that is taken.
  /// While more bytes wait to be written calls of this side wait, and those of the other are refused; where it `pauses`,
  /// nothing is read instead. One side of a session only: two that wait for each other would wait for ever.
  std::size_t waiting_bytes = 16U << 20U;
  bool pauses = false;
  std::size_t metadata_bytes = 16U << 10U;  ///< Of a call, and of a reply: see `size_of_entries`. More fails the call.
  duration longest = duration::max();       ///< Handlers are stopped after it.
};

/// One stream of a session, at either end: encodes what is to be said, writes it a batch at a time, reads batches, keeps the
/// rules of session.proto, and knows the calls that are out in both directions. On the polling worker.
///
/// A batch is taken apart in portions: what one sets off runs before the next is read, while it is still in the processor's
/// caches. What is said waits until what runs on this worker now has had its turn, and until a batch that is being taken apart
/// has come to its end, so that calls made by many tasks leave together; and while a batch is being written, what comes waits
/// for the next one.
class session_wire : batch_parts {
 public:
  session_wire(completion_queue& queue, strand& control, session_host& host, const session_limits& limits) noexcept;
  session_wire(const session_wire&) = delete;
  session_wire& operator=(const session_wire&) = delete;

  /// gRPC's side of the stream.
  class stream {
   public:
    virtual void read(grpc::ByteBuffer& into, void* tag) = 0;
    virtual void write(const grpc::ByteBuffer& message, void* tag) = 0;

   protected:
    ~stream() = default;
  };
  /// The stream is there: says `attach`, and reads. Once.
  void open(stream& s);
  bool opened() const noexcept { return stream_ != nullptr; }

  // Calls of this side.

  /// The window has room for it, and the other side has said that it takes calls: what is not sent before surely did not run
  /// when the stream comes to nothing, which happens on a connection that has just broken.
  bool takes(const session_item& item) const noexcept;
  /// Requires: takes(item). RESOURCE_EXHAUSTED when it is larger than what the other side reads.
  status send(session_item& item) noexcept;
  /// It was sent: the handler is stopped, the item is the host's again.
  void cancel(session_item& item) noexcept;
  /// The order of a key without gaps begins anew.
  void forget(std::uint64_t key);
  std::size_t sent() const noexcept { return sent_.size(); }
  /// All that were sent and are not answered, in the order of their ids; they are the host's again.
  session_item* take_sent() noexcept;
  /// The keys of the calls that are out, those too for which nobody waits any more; one for each call.
  std::vector<std::uint64_t> keys_out();
  /// An answer has come.
  bool useful() const noexcept { return useful_; }

  // The other side's calls.

  std::size_t serving() const noexcept { return serving_.size(); }
  /// Stops their handlers.
  void stop_serving(const status& why) noexcept;
  /// No call that comes from now on is begun.
  void go_away();

  // The stream's end.

  bool reads() const noexcept { return reading_ || (paused_ && !broken_); }
  bool writes() const noexcept { return writing_; }
  /// Nothing is left to be written.
  bool written() const noexcept { return !writing_ && writer_.empty(); }
  /// The other side broke a rule: what it was. Ok otherwise.
  const status& violation() const noexcept { return violation_; }
  /// What is still to be said is dropped.
  void break_off() noexcept { broken_ = true; }
  /// This side has half-closed: what comes nevertheless is not answered, and calls are not begun.
  void fall_silent() noexcept { silent_ = true; }
  /// Something of it is out: a tag, a turn, a call that is served.
  bool busy() const noexcept { return reading_ || writing_ || flush_.queued || next_read_.queued || lives_ != 0; }
  bool peer_attached() const noexcept { return rules_.attached(); }
  bool peer_goes() const noexcept { return peer_goes_; }

 private:
  friend session_served_call;

  template <void (session_wire::*Then)(bool)>
  struct step final : operation {
    explicit step(session_wire& w) noexcept : wire{w} {}
    void on_event(bool ok) noexcept override { (wire.*Then)(ok); }
    session_wire& wire;
  };
  struct flush final : work {
    explicit flush(session_wire& w) noexcept : wire{w} {}
    void run() noexcept override {
      queued = false;
      wire.write();
      wire.read_if_owed();
      if (wire.broken_) wire.host_.progressed();
    }
    work_label label() const noexcept override { return {"", "session write"}; }
    session_wire& wire;
    bool queued = false;
  };
  struct next_portion final : work {
    explicit next_portion(session_wire& w) noexcept : wire{w} {}
    void run() noexcept override {
      wire.control_.home().end_batch();  // now it is the turn of what the portion sets off
      wire.read_on();
    }
    work_label label() const noexcept override { return {"", "session read"}; }
    session_wire& wire;
  };
  // Reads when what the batch before has set off has had its turn, and its answer has left.
  struct next_read final : work {
    explicit next_read(session_wire& w) noexcept : wire{w} {}
    void run() noexcept override {
      queued = false;
      if (!wire.flush_.queued) wire.read_if_owed();  // else that does
      wire.host_.progressed();
    }
    work_label label() const noexcept override { return {"", "session read"}; }
    session_wire& wire;
    bool queued = false;
  };
  struct named_method {
    std::string path;
    session_host::offer offer;
  };
  struct numbered_method {
    std::string path;
    std::uint32_t number;
  };

  void read();
  void read_next();
  void read_if_owed();
  void have_read(bool ok);
  void read_on();
  void batch_ended();
  void free_window() noexcept;
  void write();
  void have_written(bool ok);
  void will_write() noexcept;

  status got_attach(const attach_frame& a) override;
  status got_window(const session_window& w) override;
  status got_forget(std::uint64_t key) override;
  status got_call(const call_frame& c) override;
  status got_reply(const reply_frame& r) override;
  status got_cancel(std::uint64_t id) override;
  status got_ping(std::uint64_t number) override;
  status got_pong(std::uint64_t) override { return {}; }
  status got_go_away(std::uint64_t last_id) override;

  // Ok when a call that keeps the rules is begun.
  status reason_to_refuse(const call_frame& c, const named_method& method);
  void refuse(const call_frame& c, const status& why);
  bool full() const noexcept { return writer_.waiting() > limits_.waiting_bytes; }
  // The answer to a call of `request` bytes. Returns where the message goes.
  std::uint8_t* say_reply(std::uint64_t id, std::size_t request, std::size_t bytes, const metadata* headers,
                          const metadata* trailers);
  void say_error(std::uint64_t id, std::size_t request, const status& why, bool not_run, const metadata* headers,
                 const metadata* trailers);
  void answered(session_served_call& c, bool gap) noexcept;
  void answer(session_item& item, const reply_frame& r);
  void lane_moves_on(session_served_call& ended, bool gap) noexcept;
  // Sets the number of the method, and its path when it is named now.
  status name(const method_info& method, call_frame& c);

  completion_queue& queue_;
  strand& control_;
  session_host& host_;
  const session_limits limits_;
  stream* stream_ = nullptr;

  batch_writer writer_;
  grpc::ByteBuffer incoming_;
  grpc::Slice batch_;  // what is being taken apart
  batch_reader reader_;
  batch_pace pace_;
  time_point batch_came_ = never;
  step<&session_wire::have_read> read_{*this};
  next_portion next_portion_{*this};
  next_read next_read_{*this};
  bool read_owed_ = false;  // while `reading_`
  step<&session_wire::have_written> written_{*this};
  flush flush_{*this};
  bool reading_ = false;
  bool paused_ = false;  // in place of reading
  bool writing_ = false;
  bool broken_ = false;
  bool silent_ = false;
  bool room_again_ = false;  // to be told when the write has ended
  status violation_;

  // This side's calls.
  std::uint64_t peer_batch_bytes_ = default_batch_bytes;
  bool peer_goes_ = false;
  bool useful_ = false;
  sent_calls sent_;
  bool window_freed_ = false;
  std::unordered_map<const method_info*, numbered_method> numbers_;
  std::pair<const method_info*, numbered_method*> last_numbered_{nullptr,
                                                                 nullptr};  // most calls are like the one before
  std::uint32_t numbers_named_ = 0;

  // The other side's.
  call_rules rules_;
  answer_count freed_;  // what has left and still counts against the window
  std::vector<named_method> methods_;
  std::uint64_t last_begun_ = 0;  // no later one is begun, once this side goes away
  bool goes_ = false;
  id_table<session_served_call*> serving_;
  key_lineup lineup_;      // of those in the middleware
  std::size_t lives_ = 0;  // calls that were served and are not gone
  std::size_t pings_ = 0;  // of which the answer has not left
  std::unordered_set<std::uint64_t, key_hash> gaps_;
  // The keys without gaps of which a call has been begun, and what waits behind it.
  std::unordered_map<std::uint64_t, std::deque<session_served_call*>, key_hash> gapless_lanes_;
};

}  // namespace detail
}  // namespace weft
