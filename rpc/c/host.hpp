#pragma once
#include <google/protobuf/empty.pb.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>
#include <weft/rpc/c/boundary.hpp>
#include <weft/rpc/c/either_fd.hpp>
#include <weft/rpc/c/event_queue.hpp>
#include <weft/rpc/c/handles.hpp>
#include <weft/rpc/c/types.hpp>
#include <weft/rpc/client_stream.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/raw_message.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/call.hpp>
#include <weft/runtime/io.hpp>

namespace weft::c {

/// Messages whose bytes are all that is known: as unknown fields of an empty one, which keep their order.
using unparsed = google::protobuf::Empty;

/// A method as it is called by name.
struct named_method {
  std::string path;
  method_info info;
};

using raw_stream = client_reader_writer<raw_message, raw_message>;

/// Where calls go.
class target : public object {
 public:
  using object::object;

  struct order {
    std::uint64_t key = 0;
    bool gapless = false;
  };
  /// On the worker. Errors: it was closed, or does not do that.
  virtual result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) = 0;
  virtual result<raw_stream> open(const named_method& m, call_options options) = 0;
};

/// Something under way on the worker, which the runtime's end cuts short.
class under_way {
 public:
  virtual void give_up(status why) noexcept = 0;

 protected:
  ~under_way() = default;
};

/// Something that is closed on the runtime's thread, before the runtime ends.
class closable {
 public:
  /// Blocks until it is over. FAILED_PRECONDITION: something uses it; never when the runtime ends, in the order in which its
  /// objects are closed then.
  virtual status close() = 0;

 protected:
  ~closable() = default;
};

int bad_handle(weft_handle h, const object* found);

/// A runtime with what the program made from it.
class host final : public object, public std::enable_shared_from_this<host> {
 public:
  static std::shared_ptr<host> make(const weft_runtime_options& options);
  explicit host(const weft_runtime_options& options);
  ~host() override;

  rpc_runtime& rt() noexcept { return *rt_; }
  worker& home() noexcept { return rt_->worker_at(0); }
  event_queue& events() noexcept { return events_; }
  c::types& types() noexcept { return types_; }

  /// The method that `text` names, by aliases too; lives as long as the host. Any thread.
  result<const named_method*> method(std::string_view text);
  status alias(const char* name, const char* service);
  status route(const char* service, std::shared_ptr<target> to);
  result<std::shared_ptr<target>> route_of(const named_method& m);

  /// Runs `f` on the worker, in the order of posting. Any thread.
  template <class F>
  void post(F f) {
    std::ignore =
        rt_->control().try_post(std::move(f));  // fails when the runtime has ended, with all that is under way
  }
  /// On the worker.
  std::unordered_set<under_way*>& in_flight() noexcept { return in_flight_; }

  /// Where links are; made when it is first asked for. Any thread.
  io& sockets();

  /// Who does what only the runtime's thread may; false when another thread is at it, where nobody else drives the runtime.
  class turn {
   public:
    explicit turn(host& h) noexcept : host_{h}, mine_{h.rt_->workers() != 0 || !h.driven_.exchange(true)} {}
    ~turn() {
      if (mine_) host_.driven_ = false;
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    explicit operator bool() const noexcept { return mine_; }

   private:
    host& host_;
    const bool mine_;
  };
  static int not_my_turn() { return fail(WEFT_FAILED_PRECONDITION, "another thread pumps or closes this runtime"); }

  result<pump_result> pump(const pump_options& options);
  /// FAILED_PRECONDITION: it is pumped, and was made without one.
  result<int> wake_fd() const;

  /// Everything ends. The runtime's thread, once.
  void end();

  /// While a function of the interface works with it; empty when it has ended.
  std::shared_lock<std::shared_mutex> enter() {
    std::shared_lock lock{ending_};
    if (ended_) lock = {};
    return lock;
  }
  /// What begins now need not: nobody will know how it ended.
  bool ending() const noexcept { return ended_; }
  bool server_made = false;  // there is one, or was

 private:
  // Beyond, method names are refused: each is remembered.
  static constexpr std::size_t most_methods = 16'384;

  c::types types_;
  event_queue events_;
  std::mutex names_mutex_;
  std::map<std::string, std::unique_ptr<named_method>, std::less<>> methods_;
  std::map<std::string, std::string, std::less<>> aliases_;
  std::map<std::string, std::shared_ptr<target>, std::less<>> routes_;
  std::unordered_set<c::under_way*> in_flight_;
  std::atomic<bool> driven_{false};
  std::shared_mutex ending_;
  std::atomic<bool> ended_{false};
  const thread_hook thread_start_;
  std::unique_ptr<rpc_runtime> rt_;
  std::unique_ptr<either_fd> wake_;
  std::unique_ptr<io> sockets_;
};

/// Runs `f(shared pointer to T)` for the handle of one, whose runtime does not end meanwhile.
template <class T, class F>
int with(weft_handle h, F f) noexcept {
  return guarded([&] {
    const auto found = handles::all().find(h);
    const auto it = std::dynamic_pointer_cast<T>(found);
    if (!it) return bad_handle(h, found.get());
    host* owner = nullptr;
    if constexpr (std::is_same_v<T, host>) {
      owner = it.get();
    } else {
      owner = found->shared_owner().get();
      if (owner == nullptr) owner = static_cast<host*>(found.get());
    }
    const auto lock = owner->enter();
    if (!lock) return bad_handle(h, nullptr);
    return static_cast<int>(f(it));
  });
}

}  // namespace weft::c
