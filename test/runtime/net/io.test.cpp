#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <weft/runtime/io.hpp>
#include <weft/runtime/work.hpp>

namespace {

struct never_runs final : weft::work {
  void run() noexcept override { FAIL("it ran"); }
};

}  // namespace

TEST_SUITE("io") {
  TEST_CASE("the program's own handlers run on the io's thread") {
    weft::io net;
    std::atomic<bool> ran{false};
    std::thread::id there;
    boost::asio::post(net.context(), [&] {
      there = std::this_thread::get_id();
      ran = true;
      ran.notify_all();
    });
    ran.wait(false);
    CHECK(there != std::this_thread::get_id());
  }

  TEST_CASE("without a thread the program polls, as often as it likes") {
    weft::io net{{.thread = false}};
    int ran = 0;
    CHECK(net.poll() == 0);
    boost::asio::post(net.context(), [&] { ++ran; });
    CHECK(net.poll() == 1);
    boost::asio::post(net.context(), [&] { ++ran; });
    CHECK(net.poll() == 1);
    CHECK(ran == 2);
  }

  TEST_CASE("an io stops once, whoever asks, and takes no more work then") {
    weft::io net;
    net.stop();
    net.stop();
    never_runs never;
    CHECK_FALSE(net.core()->submit(never));
  }
}
