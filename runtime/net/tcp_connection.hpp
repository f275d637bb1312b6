#pragma once
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/net/transport.hpp>

namespace weft {

/// A connected socket that carries a link's messages in frames. Not for users: `tcp_listener` and `tcp_connect` make them.
///
/// Two sides, the link's worker and the I/O thread, which send each other notes; every field has one owner at a time.
///   *In.* The I/O thread reads, decodes, and sends all messages of one read as one `arrival`. Both sides count in
///   `window_` what the link has not yet received.
///   *Out.* `batch_` belongs to the link's worker while `write_word_` is idle, otherwise to the I/O thread.
///   *End.* The link's side says `finish` or `abort`, once, and nothing afterwards; or the I/O thread finds the connection
///   dead. In either case the I/O thread closes the socket and says `closed`, last. A socket that is closed after an
///   orderly `finish` waits for the peer's end first, since closing it with bytes unread would destroy what was just sent.
class tcp_connection final : public transport, io_member {
 public:
  /// For `finish`: to send what is left and see the peer close. Then the connection is reset.
  static constexpr auto flush_limit = std::chrono::seconds{1};
  static constexpr std::size_t read_size = std::size_t{16} << 10;

  /// Requires: `socket` is connected and of `core`'s context.
  tcp_connection(std::shared_ptr<io_core> core, boost::asio::ip::tcp::socket socket, std::string peer);

  bool ready() noexcept override;
  void write(std::vector<payload> batch) noexcept override;
  void received(std::size_t bytes) noexcept override;
  void finish(std::vector<payload> rest) noexcept override;
  void abort() noexcept override;
  std::string peer() const override { return peer_; }

 private:
  struct arrival;

  void started(const link_options& options) override;
  std::shared_ptr<tcp_connection> self() noexcept {
    return std::static_pointer_cast<tcp_connection>(shared_from_this());
  }

  // Run on the I/O thread.
  void on_start() noexcept;
  void on_write() noexcept;
  void on_resume() noexcept;
  void on_finish() noexcept;
  void on_abort() noexcept;
  void io_stopping() noexcept override;
  void read();
  void take_frames();
  bool pause_if_full() noexcept;
  bool full(std::uint64_t window) const noexcept;
  void read_failed(const boost::system::error_code& error);
  void write_on();
  boost::system::error_code write_some();
  bool next_batch();
  void batch_written() noexcept;
  void write_failed(const boost::system::error_code& error);
  void end(status why);
  void reset() noexcept;
  void shut() noexcept;

  // Run on the link's worker.
  void tell_writable() noexcept;
  void tell_end() noexcept;
  void tell_broken() noexcept;
  void tell_closed() noexcept;

  // Neither changes after `started`.
  const std::shared_ptr<io_core> core_;
  const std::string peer_;
  std::size_t inbound_messages_ = 0;
  std::size_t inbound_bytes_ = 0;

  /// What the link has not yet received: messages in the low 20 bits, bytes above, and on top `paused`.
  ///   1. The I/O thread adds what it decoded and then delivers it; the link's worker subtracts what was received.
  ///   2. When the window is full the I/O thread sets `paused` by a compare-exchange that fails if it is full no more, and
  ///      reads no further.
  ///   3. The worker, when it finds `paused` set and the window half empty, clears it and sends `resume_`; it alone clears
  ///      it, and the I/O thread sets it again only after `resume_`: so the note is never sent twice.
  std::atomic<std::uint64_t> window_{0};

  /// Who owns `batch_`:
  ///   idle    the link's worker
  ///   busy    the I/O thread, which writes it
  ///   wanted  the I/O thread; it sends `writable_` when it has made the word idle
  /// The worker goes idle -> busy and busy -> wanted, the I/O thread either -> idle, by an exchange that tells it which it
  /// was. From `wanted` on the worker stays away until `writable_` has come, so that is never sent twice.
  enum class writing : std::uint8_t { idle, busy, wanted };
  std::atomic<writing> write_word_{writing::idle};
  std::vector<payload> batch_;

  // The link's worker's.
  bool writable_expected_ = false;

  // The link's worker's until `finish_` is sent.
  std::vector<payload> rest_;

  // The I/O thread's.
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::steady_timer> flush_timer_;
  std::unique_ptr<char[]> buffer_;
  std::string_view unread_;  // of the buffer, not yet decoded
  frame_decoder decoder_{0};
  std::size_t next_ = 0;        // in batch_: the message that is being written
  std::size_t next_bytes_ = 0;  // written of its frame
  bool joined_ = false;
  bool reading_ = false;  // a read is outstanding
  bool waiting_to_write_ = false;
  bool read_over_ = false;
  bool finishing_ = false;
  bool shut_ = false;
  bool end_told_ = false;
  status end_;          // until `ended_` is sent
  status write_error_;  // until `broken_` is sent; not changed afterwards

  // To the I/O thread.
  note<tcp_connection, &tcp_connection::on_start> start_;
  note<tcp_connection, &tcp_connection::on_write> write_;
  note<tcp_connection, &tcp_connection::on_resume> resume_;
  note<tcp_connection, &tcp_connection::on_finish> finish_;
  note<tcp_connection, &tcp_connection::on_abort> abort_;
  // To the link's worker.
  note<tcp_connection, &tcp_connection::tell_writable> writable_;
  note<tcp_connection, &tcp_connection::tell_end> ended_;
  note<tcp_connection, &tcp_connection::tell_broken> broken_;
  note<tcp_connection, &tcp_connection::tell_closed> closed_;
};

}  // namespace weft
