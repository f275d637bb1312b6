#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/service.hpp>

#include "echo.weft.hpp"

// The mission's own path: TCP frame -> gate -> player coroutine -> service by RPC -> reply frame, open loop. Frames are sent
// when they are due, whatever became of those before them, and a latency counts from the time at which its frame was due. The
// source of frames has a core, gate and service share the other one; the source is the same for all.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Echo;
using ::bench::v1::EchoRequest;
using clock = std::chrono::steady_clock;

constexpr int connections = 64;
constexpr std::size_t message = 32;
constexpr std::size_t frame = frame_header_size + message;

// The gate.

task<> play(std::unique_ptr<link> link, Echo::client to) {
  EchoRequest request;
  while (auto m = co_await link->receive()) {
    request.set_payload(std::move(*m));
    auto reply = co_await to.Say(request);
    if (!reply.ok()) co_return;  // which the source of frames sees
    if (const auto s = link->send(std::move(*reply->mutable_payload())); !s.ok()) co_return;
  }
}

task<> accept_players(tcp_listener* at, peer* to, session* over, service* gate) {
  for (std::uint64_t player = 1;; ++player) {
    auto link = co_await at->accept();
    if (!link) co_return;
    gate->start("player", &play, std::move(link),
                over != nullptr ? Echo::client{over->ordered(player)} : Echo::client{*to});
  }
}

template <bool Session>
void serve_gate(parent_link& parent) {
  pin_to_core(server_core);
  child_process chat{{"path", "--serve", "service"}};
  rpc_runtime rt;
  io where;
  service gate{rt, {.name = "gate"}};
  peer to{rt, "127.0.0.1:" + std::to_string(announced_port(chat, 10s))};
  session over{to};
  auto listener = tcp_listen(where, gate.strand(), "127.0.0.1:0");
  if (!listener.ok()) throw std::runtime_error{listener.status().to_string()};
  gate.start("way in", &accept_players, listener->get(), &to, Session ? &over : nullptr, &gate);
  parent.announce((*listener)->port());
  parent.wait_until_released();
  (*listener)->close();
  gate.stop_and_wait(stop_mode::abort);
  listener->reset();
  where.stop();
}

// The source of frames: one thread, which looks for replies whenever no frame is due.

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

class source {
 public:
  explicit source(int port) {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < connections; ++i) {
      const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
      const int on = 1;
      setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      fcntl(s, F_SETFL, O_NONBLOCK);
      epoll_event readable{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
      epoll_ctl(poll_, EPOLL_CTL_ADD, s, &readable);
      sockets_.push_back({s, {}, {}});
    }
  }
  ~source() {
    for (auto& one : sockets_) close(one.fd);
    close(poll_);
  }
  source(const source&) = delete;
  source& operator=(const source&) = delete;

  figures run(int rate, double seconds) {
    const auto began = clock::now() + 1ms;
    const auto count_from = began + 300ms;  // a warm-up at the same rate
    const auto end = count_from + std::chrono::round<clock::duration>(std::chrono::duration<double>{seconds});
    const auto interval = std::chrono::nanoseconds{1'000'000'000LL / rate};
    std::uint64_t sent = 0, due_in_time = 0;
    count_from_ = count_from;
    end_ = end;
    for (auto due = began; due < end;) {
      for (auto now = clock::now(); due <= now && due < end; due += interval) {
        send_frame(sockets_[sent++ % connections], due);
        if (due >= count_from) ++due_in_time;
      }
      receive(due - clock::now());
    }
    const auto give_up =
        clock::now() + 30s;  // what was offered beyond the capacity is answered late, and counts as that
    while (received_ < sent && clock::now() < give_up) {
      for (auto& one : sockets_) flush(one);
      receive(10ms);
    }
    if (received_ != sent) throw std::runtime_error{std::to_string(sent - received_) + " frames without a reply"};
    figures f{{"calls_per_s", static_cast<double>(in_time_) / seconds},
              {"offered_per_s", static_cast<double>(due_in_time) / seconds}};
    add_latency(f, latency_);
    return f;
  }

 private:
  struct connection {
    int fd;
    std::vector<char> in;
    std::vector<char> out;
  };

  void send_frame(connection& to, clock::time_point due) {
    const auto at = to.out.size();
    to.out.resize(at + frame, 'x');
    const auto header = make_frame_header(message);
    std::memcpy(to.out.data() + at, header.data(), header.size());
    const auto stamp = due.time_since_epoch().count();
    std::memcpy(to.out.data() + at + frame_header_size, &stamp, sizeof stamp);
    flush(to);
  }

  static void flush(connection& to) {
    if (to.out.empty()) return;
    const auto n = send(to.fd, to.out.data(), to.out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) fail("send");
    to.out.erase(to.out.begin(), to.out.begin() + std::max<ssize_t>(n, 0));
  }

  void receive(clock::duration patience) {
    epoll_event ready[connections];
    const auto ns = std::max<std::int64_t>(patience.count(), 0);
    const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
    const int n = epoll_pwait2(poll_, ready, connections, &wait, nullptr);
    for (int i = 0; i < n; ++i) read_replies(sockets_[ready[i].data.u32]);
  }

  void read_replies(connection& from) {
    const auto have = from.in.size();
    from.in.resize(have + 65'536);
    const auto n = read(from.fd, from.in.data() + have, 65'536);
    from.in.resize(have + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) throw std::runtime_error{"the gate closed a connection"};
    const auto now = clock::now();
    std::size_t at = 0;
    for (; at + frame <= from.in.size(); at += frame) {
      if (std::memcmp(from.in.data() + at, make_frame_header(message).data(), frame_header_size) != 0)
        throw std::runtime_error{"not the reply frame"};
      clock::duration::rep stamp{};
      std::memcpy(&stamp, from.in.data() + at + frame_header_size, sizeof stamp);
      const clock::time_point due{clock::duration{stamp}};
      ++received_;
      if (due < count_from_) continue;
      latency_.add(now - due);
      if (now < end_) ++in_time_;
    }
    from.in.erase(from.in.begin(), from.in.begin() + static_cast<std::ptrdiff_t>(at));
  }

  int poll_ = -1;
  std::vector<connection> sockets_;
  clock::time_point count_from_, end_;
  latency_histogram latency_;
  std::uint64_t received_ = 0;
  std::uint64_t in_time_ = 0;
};

figures run_path(const char* gate, int rate, const trial_options& o) {
  child_process server{{"path", "--serve", gate}};
  const int port = announced_port(server, 10s);
  pin_to_core(client_core);
  source frames{port};
  return frames.run(rate, o.seconds);
}

void serve_service(parent_link& parent) {
  pin_to_core(server_core);
  serve_weft(parent, {});
}

// The gate and its service in Go: two programs on the same core.
void serve_go_gate(parent_link&) {
  pin_to_core(server_core);
  const auto program = peer_program("go-peer");
  execl(program.c_str(), program.c_str(), "gate", nullptr);
  fail("start go-peer");
}

}  // namespace

int run_path(std::span<char* const> arguments) {
  std::vector<trial> all;
  const bool go = access(peer_program("go-peer").c_str(), X_OK) == 0;
  for (const int rate : {1'000, 5'000, 10'000, 20'000, 40'000, 80'000}) {
    const auto from = [rate](const char* gate) {
      return [rate, gate](const trial_options& o) { return run_path(gate, rate, o); };
    };
    all.push_back({"weft gate, session", false, rate, from("weft session")});
    all.push_back({"weft gate, unary", false, rate, from("weft unary")});
    if (go) all.push_back({"Go gate, grpc-go", true, rate, from("go")});
  }
  return run_trials({.suite = "path",
                     .question =
                         "Latency from a frame's due time to its reply, by frames offered a second: TCP frame, gate, "
                         "player, service by RPC, reply frame.",
                     .all = std::move(all),
                     .figure = "p99_us",
                     .rounds = 3,
                     .seconds = 1.5,
                     .servers = {{"weft session", serve_gate<true>},
                                 {"weft unary", serve_gate<false>},
                                 {"service", serve_service},
                                 {"go", serve_go_gate}}},
                    arguments);
}

}  // namespace weft::bench
