#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include <weft/runtime/net/way_home.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class worker;
struct link_options;

/// A message on its way out: its own bytes, or bytes that it shares with other links.
class payload {
 public:
  explicit payload(std::string bytes) noexcept : bytes_{std::move(bytes)} {}
  explicit payload(std::shared_ptr<const std::string> bytes) noexcept : bytes_{std::move(bytes)} {}

  std::string_view bytes() const noexcept {
    const auto* shared = std::get_if<1>(&bytes_);
    return shared != nullptr ? **shared : std::get<0>(bytes_);
  }
  /// Copies only what is shared.
  std::string take() && {
    if (const auto* shared = std::get_if<1>(&bytes_)) return **shared;
    return std::move(std::get<0>(bytes_));
  }

 private:
  std::variant<std::string, std::shared_ptr<const std::string>> bytes_;
};

/// What carries a link's messages: TCP, memory, later WebSocket. Policy (bounds, slow receivers, waiting) is the link's;
/// bytes, frames and the far side are the transport's.
///
/// The virtual functions are called on the link's worker, and call nothing of the link's before they return. The transport
/// outlives the link for as long as its other side needs (a flush, say): both hold it.
class transport : public std::enable_shared_from_this<transport> {
 public:
  /// The link, as its transport sees it. On the link's worker, outside of any strand.
  class user {
   public:
    virtual void on_message(std::string message) noexcept = 0;
    /// `ready` may be true again; comes once after each time that it was false.
    virtual void on_writable() noexcept = 0;
    /// No message arrives any more. Once.
    virtual void on_end(status why) noexcept = 0;
    /// What is written does not reach the peer any more; messages may still arrive.
    virtual void on_broken(status why) noexcept = 0;
    /// The transport holds no resource any more, such as a socket. Once, and last.
    virtual void on_closed() noexcept = 0;

   protected:
    ~user() = default;
  };

  transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  virtual ~transport() = default;

  /// Messages begin to arrive at `to`. Any thread, once.
  void start(user& to, worker& home, const link_options& options);
  /// `to` is gone. Requires: `finish` or `abort` was called. No call-back comes any more and nothing is posted to the
  /// worker any more; what was already posted finds nobody.
  void release() noexcept;
  /// Calls `on_writable` in the worker's next round, so that what is sent meanwhile goes in one batch.
  void call_back() noexcept;

  /// True when `write` may be called.
  virtual bool ready() noexcept = 0;
  virtual void write(std::vector<payload> batch) noexcept = 0;
  /// The receiver took a message of so many bytes: there is room for others.
  virtual void received(std::size_t bytes) noexcept = 0;
  /// Writes `rest` after what was written before, within a limit of time, and closes. Nothing arrives any more.
  virtual void finish(std::vector<payload> rest) noexcept = 0;
  /// Closes without writing what is still on its way; the peer sees a reset.
  virtual void abort() noexcept = 0;
  /// The far side, for logs.
  virtual std::string peer() const = 0;

 protected:
  /// Null once the link is gone. On its worker.
  user* to() const noexcept { return user_; }
  /// Requires: started.
  way_home& way() noexcept { return *way_; }

 private:
  virtual void started(const link_options& options) = 0;
  void tell_writable() noexcept;

  user* user_ = nullptr;
  std::unique_ptr<way_home> way_;
  note<transport, &transport::tell_writable> writable_;
};

}  // namespace weft
