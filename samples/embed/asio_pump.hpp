#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <weft/runtime/runtime.hpp>

namespace embed {

/// Pumps a runtime (`workers = 0`, `wake.fd = true`) from an io_context that one thread runs: when it has something to do, and
/// when its next timer is due. Other handlers of the context get their turn between two pumps. Goes before either.
class asio_pump {
 public:
  asio_pump(boost::asio::io_context& context, weft::runtime& rt, weft::duration budget = std::chrono::milliseconds{2});
  ~asio_pump() { awake_.release(); }  // the descriptor is the runtime's
  asio_pump(const asio_pump&) = delete;
  asio_pump& operator=(const asio_pump&) = delete;

 private:
  void watch();
  void pump();

  weft::runtime& rt_;
  const weft::duration budget_;
  boost::asio::posix::stream_descriptor awake_;
  boost::asio::steady_timer timer_;
  weft::time_point due_ = weft::never;  // what the timer is set to
};

}  // namespace embed
