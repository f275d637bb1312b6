#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <weft/bench/rpc/frame_source.hpp>
#include <weft/runtime/net/frame.hpp>

using namespace std::chrono_literals;
using weft::bench::frame_message;
using weft::bench::frame_source;

namespace {

constexpr std::size_t frame_size = weft::frame_header_size + sizeof(frame_message);

// A gate with one player, which answers nothing before it has this many frames, and then all of them.
class late_gate {
 public:
  explicit late_gate(std::size_t frames) : listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 1) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread{[this, frames] { serve(frames); }};
  }
  ~late_gate() {
    thread_.join();
    close(listener_);
  }
  late_gate(const late_gate&) = delete;
  late_gate& operator=(const late_gate&) = delete;
  int port() const { return port_; }

 private:
  void serve(std::size_t frames) const {
    const int player = accept(listener_, nullptr, nullptr);
    std::string in(1U << 16U, '\0');
    std::size_t have = 0, answered = 0;
    for (ssize_t n = 0; (n = read(player, in.data() + have, in.size() - have)) > 0;) {
      have += static_cast<std::size_t>(n);
      const auto whole = have / frame_size * frame_size;
      if (whole < frames * frame_size) continue;
      if (send(player, in.data() + answered, whole - answered, MSG_NOSIGNAL) < 0) break;
      answered = whole;
    }
    close(player);
  }

  int listener_;
  int port_ = 0;
  std::jthread thread_;
};

frame_source::outcome run(std::size_t held_back, const frame_source::plan& p) {
  late_gate gate{held_back};
  frame_source source{gate.port(), 1};
  return source.run(p);
}

}  // namespace

TEST_SUITE("frame source") {
  TEST_CASE("a latency counts from when its frame was due, so one pause is seen by all frames that were due in it") {
    // 100 frames, one a millisecond, which are answered when the last of them has come.
    const auto got = run(100, {.per_second = 1'000, .seconds = 0.1, .warm_up = 0ms});
    CHECK(got.latency[0].percentile(100) >= 97ms);
    CHECK(got.latency[0].percentile(50) >= 48ms);
    CHECK(got.due_per_second == doctest::Approx(1'000));
  }

  TEST_CASE("a frame that is sent late, since the source itself was held up, is late from when it was due") {
    const auto held_up = [](std::uint64_t n) {
      const auto until = frame_source::clock::now() + (n == 20 ? 30ms : 0ms);
      while (frame_source::clock::now() < until) {
      }
      return frame_source::burst{.player = n};
    };
    const auto got = run(1, {.per_second = 1'000, .seconds = 0.1, .warm_up = 0ms, .next = held_up});
    CHECK(got.latency[0].percentile(100) >= 28ms);
  }

  TEST_CASE("frames of a burst are due together and count by their kind") {
    const auto burst_of_two = [](std::uint64_t n) {
      return frame_source::burst{.kind = n % 2 == 0 ? 1U : 0U, .frames = 2};
    };
    const auto got = run(20, {.per_second = 1'000, .seconds = 0.01, .warm_up = 0ms, .next = burst_of_two});
    CHECK(got.due_per_second == doctest::Approx(2'000));
    CHECK(got.latency[0].percentile(100) >= 7ms);  // the second burst of ten
    CHECK(got.latency[1].percentile(100) >= 8ms);  // the first
  }

  TEST_CASE("a source without a gate fails") { CHECK_THROWS_AS((frame_source{1, 1}), std::system_error); }

  TEST_CASE("bytes of another size are no message") {
    CHECK_THROWS_AS(weft::bench::frame_message_from("short"), std::runtime_error);
  }
}
