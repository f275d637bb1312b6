#include <weft/runtime/net/tcp_connection.hpp>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <span>
#include <utility>

namespace asio = boost::asio;
using boost::system::error_code;

namespace weft {
namespace {

constexpr unsigned message_bits = 20;
constexpr std::uint64_t paused = std::uint64_t{1} << 63;

constexpr std::uint64_t in_window(std::size_t bytes) noexcept { return std::uint64_t{bytes} << message_bits | 1; }
constexpr std::uint64_t messages_in(std::uint64_t window) noexcept {
  return window & ((std::uint64_t{1} << message_bits) - 1);
}
constexpr std::uint64_t bytes_in(std::uint64_t window) noexcept { return (window & ~paused) >> message_bits; }

}  // namespace

// All messages of one read, on their way to the link. The arrivals of a link come in the order in which they were sent.
struct tcp_connection::arrival final : work {
  void run() noexcept override {
    const std::unique_ptr<arrival> self{this};
    if (auto* link = to->to()) {
      for (auto& m : messages) link->on_message(std::move(m));
    }
  }
  std::shared_ptr<tcp_connection> to;
  std::vector<std::string> messages;
};

tcp_connection::tcp_connection(std::shared_ptr<io_core> core, asio::ip::tcp::socket socket, std::string peer)
    : core_{std::move(core)}, peer_{std::move(peer)}, socket_{std::move(socket)} {}

// ---- On the link's worker.

void tcp_connection::started(const link_options& options) {
  inbound_messages_ = options.inbound_messages;
  inbound_bytes_ = options.inbound_bytes;
  decoder_ = frame_decoder{options.max_frame};
  // If the io has stopped, nobody else touches what is the I/O thread's.
  if (!start_.send(self(), *core_)) io_stopping();
}

bool tcp_connection::ready() noexcept {
  if (writable_expected_) return false;
  auto seen = write_word_.load(std::memory_order_acquire);
  if (seen == writing::idle) return true;
  if (!write_word_.compare_exchange_strong(seen, writing::wanted, std::memory_order_acq_rel)) return true;
  writable_expected_ = true;
  return false;
}

void tcp_connection::write(std::vector<payload> batch) noexcept {
  batch_ = std::move(batch);
  write_word_.store(writing::busy, std::memory_order_relaxed);  // published by the note
  write_.send(self(), *core_);  // refused only by an io that has stopped, which has said `closed`
}

void tcp_connection::received(std::size_t bytes) noexcept {
  const auto part = in_window(bytes);
  const auto window = window_.fetch_sub(part, std::memory_order_acq_rel) - part;
  if ((window & paused) == 0) return;
  if (messages_in(window) > inbound_messages_ / 2 || bytes_in(window) > inbound_bytes_ / 2) return;
  window_.fetch_and(~paused, std::memory_order_acq_rel);
  resume_.send(self(), *core_);
}

void tcp_connection::finish(std::vector<payload> rest) noexcept {
  rest_ = std::move(rest);
  finish_.send(self(), *core_);
}

void tcp_connection::abort() noexcept { abort_.send(self(), *core_); }

void tcp_connection::tell_writable() noexcept {
  writable_expected_ = false;
  if (auto* link = to()) link->on_writable();
}

void tcp_connection::tell_end() noexcept {
  if (auto* link = to()) link->on_end(std::move(end_));
}

void tcp_connection::tell_broken() noexcept {
  if (auto* link = to()) link->on_broken(write_error_);
}

void tcp_connection::tell_closed() noexcept {
  if (auto* link = to()) link->on_closed();
}

// ---- On the I/O thread: life and death.

void tcp_connection::on_start() noexcept {
  joined_ = core_->join(*this);
  if (!joined_) {
    io_stopping();
    return;
  }
  buffer_ = std::make_unique_for_overwrite<char[]>(read_size);
  read();
}

void tcp_connection::on_finish() noexcept {
  if (shut_) return;
  finishing_ = true;
  if (!write_error_.ok()) return shut();
  flush_timer_.emplace(core_->context(), flush_limit);
  flush_timer_->async_wait([self = self()](const error_code& error) {
    if (!error) self->reset();
  });
  if (!waiting_to_write_) write_on();
  unread_ = {};
  if (!shut_ && !reading_ && !read_over_) read();
}

void tcp_connection::on_abort() noexcept { reset(); }

// A link that was closed here still has its time to flush.
void tcp_connection::io_stopping() noexcept {
  if (finishing_) return;
  end(unavailable("the io was stopped"));
  shut();
}

void tcp_connection::end(status why) {
  if (std::exchange(end_told_, true)) return;
  end_ = std::move(why);
  ended_.send(self(), way());
}

// Closes so that the kernel forgets what it has not sent, and the peer is told.
void tcp_connection::reset() noexcept {
  error_code ignored;
  if (!shut_) static_cast<void>(socket_.set_option(asio::socket_base::linger{true, 0}, ignored));
  shut();
}

// What is outstanding comes back with an error, and finds `shut_`.
void tcp_connection::shut() noexcept {
  if (std::exchange(shut_, true)) return;
  error_code ignored;
  static_cast<void>(socket_.close(ignored));
  if (flush_timer_) flush_timer_->cancel();
  if (joined_) core_->leave(*this);
  buffer_.reset();
  closed_.send(self(), way());
}

// ---- On the I/O thread: reading.

void tcp_connection::read() {
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.get(), read_size),
                          [self = self()](const error_code& error, std::size_t n) {
                            self->reading_ = false;
                            if (self->shut_) return;
                            if (error) return self->read_failed(error);
                            self->unread_ = {self->buffer_.get(), n};
                            self->take_frames();
                          });
}

void tcp_connection::take_frames() {
  if (finishing_) unread_ = {};  // nobody receives any more
  while (!unread_.empty()) {
    auto batch = std::make_unique<arrival>();
    // It can only become emptier meanwhile; whether it still is full is decided below.
    auto window = window_.load(std::memory_order_acquire);
    std::uint64_t added = 0;
    while (!unread_.empty() && !full(window + added)) {
      auto message = decoder_.next(unread_);
      if (!message) break;
      added += in_window(message->size());
      batch->messages.push_back(std::move(*message));
    }
    if (added != 0) {
      window_.fetch_add(added, std::memory_order_acq_rel);
      batch->to = self();
      if (way().submit(*batch)) static_cast<void>(batch.release());
    }
    if (!decoder_.error().ok()) {
      unread_ = {};
      end(decoder_.error());
      return;  // there is no telling where the next frame begins
    }
    if (pause_if_full()) return;
  }
  read();
}

bool tcp_connection::full(std::uint64_t window) const noexcept {
  return messages_in(window) >= inbound_messages_ || bytes_in(window) >= inbound_bytes_;
}

bool tcp_connection::pause_if_full() noexcept {
  auto window = window_.load(std::memory_order_acquire);
  while (full(window)) {
    if (window_.compare_exchange_weak(window, window | paused, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void tcp_connection::on_resume() noexcept {
  if (!shut_ && !finishing_) take_frames();
}

void tcp_connection::read_failed(const error_code& error) {
  read_over_ = true;
  if (error != asio::error::eof) {
    end(unavailable("the connection to " + peer_ + " broke: " + error.message()));
    shut();
    return;
  }
  if (decoder_.in_frame()) {
    end(unavailable("the peer " + peer_ + " closed in the middle of a frame"));
  } else {
    end(write_error_);
  }
  // The peer may have closed its half only and still take answers.
  const bool all_written = finishing_ && !waiting_to_write_;
  if (all_written || !write_error_.ok()) shut();
}

// ---- On the I/O thread: writing.

void tcp_connection::on_write() noexcept {
  next_ = next_bytes_ = 0;
  if (!shut_ && write_error_.ok()) write_on();
}

void tcp_connection::write_on() {
  do {
    while (next_ < batch_.size()) {
      const auto error = write_some();
      if (error == asio::error::would_block) {
        waiting_to_write_ = true;
        socket_.async_wait(asio::socket_base::wait_write, [self = self()](const error_code& failed) {
          self->waiting_to_write_ = false;
          if (self->shut_) return;
          if (failed) return self->write_failed(failed);
          self->write_on();
        });
        return;
      }
      if (error) return write_failed(error);
    }
  } while (next_batch());
}

// One system call. Header and bytes of each message are gathered from where they are.
error_code tcp_connection::write_some() {
  constexpr std::size_t at_once = 32;  // Asio passes on 64 buffers
  std::array<frame_header, at_once> headers;
  std::array<asio::const_buffer, 2 * at_once> buffers;
  std::size_t n = 0;
  auto skip = next_bytes_;
  for (auto i = next_; i < batch_.size() && n < buffers.size(); ++i) {
    const auto bytes = batch_[i].bytes();
    auto& header = headers[n / 2];
    header = make_frame_header(bytes.size());
    buffers[n++] = asio::buffer(header) + skip;
    buffers[n++] = asio::buffer(bytes) + (skip > frame_header_size ? skip - frame_header_size : 0);
    skip = 0;
  }
  error_code error;
  next_bytes_ += socket_.write_some(std::span<const asio::const_buffer>{buffers.data(), n}, error);
  while (next_ < batch_.size()) {
    const auto frame = frame_header_size + batch_[next_].bytes().size();
    if (next_bytes_ < frame) break;
    next_bytes_ -= frame;
    ++next_;
  }
  return error;
}

// A batch is written. True when there is another one.
bool tcp_connection::next_batch() {
  batch_.clear();
  next_ = next_bytes_ = 0;
  if (!finishing_) {
    batch_written();
    return false;
  }
  if (!rest_.empty()) {
    batch_ = std::exchange(rest_, {});
    return true;
  }
  error_code ignored;
  static_cast<void>(socket_.shutdown(asio::socket_base::shutdown_send, ignored));
  if (read_over_) shut();
  return false;
}

void tcp_connection::batch_written() noexcept {
  if (write_word_.exchange(writing::idle, std::memory_order_acq_rel) == writing::wanted) writable_.send(self(), way());
}

// Reading goes on: what the peer sent before it went may still be there, and then comes the end.
void tcp_connection::write_failed(const error_code& error) {
  batch_.clear();
  rest_.clear();
  write_error_ = unavailable("the connection to " + peer_ + " broke: " + error.message());
  broken_.send(self(), way());
  if (finishing_ || read_over_) shut();
}

}  // namespace weft
