#include "outer_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "embed/asio_pump.hpp"
#include "embed/epoll_pump.hpp"

using namespace std::chrono_literals;

namespace test {
namespace {

/// A game that has no descriptor to wait for: a pump a frame, frames of a millisecond.
class frame_loop final : public outer_loop {
 public:
  explicit frame_loop(weft::runtime& rt) : rt_{rt} {}
  void run_until(const std::function<bool()>& done) override {
    for (auto next = std::chrono::steady_clock::now(); !done(); next += 1ms) {
      std::this_thread::sleep_until(next);
      rt_.pump({.budget = 500us, .max_events = 100});
    }
  }

 private:
  weft::runtime& rt_;
};

class asio_loop final : public outer_loop {
 public:
  explicit asio_loop(weft::runtime& rt) : pump_{context_, rt} {}
  void run_until(const std::function<bool()>& done) override {
    while (!done()) context_.run_one();
  }

 private:
  boost::asio::io_context context_;
  embed::asio_pump pump_;
};

class epoll_loop final : public outer_loop {
 public:
  explicit epoll_loop(weft::runtime& rt) : epoll_{epoll_create1(EPOLL_CLOEXEC)}, pump_{epoll_, rt} {}
  ~epoll_loop() override { close(epoll_); }
  void run_until(const std::function<bool()>& done) override {
    while (!done()) {
      epoll_event event{};
      epoll_wait(epoll_, &event, 1, pump_.timeout_ms());
      pump_.run();
    }
  }

 private:
  int epoll_;
  embed::epoll_pump pump_;
};

}  // namespace

std::unique_ptr<outer_loop> outer_loop::make(loop_kind kind, weft::runtime& rt) {
  switch (kind) {
    case loop_kind::frames: return std::make_unique<frame_loop>(rt);
    case loop_kind::asio: return std::make_unique<asio_loop>(rt);
    case loop_kind::epoll: break;
  }
  return std::make_unique<epoll_loop>(rt);
}

}  // namespace test
