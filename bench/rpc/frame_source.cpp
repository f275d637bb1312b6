#include <weft/bench/rpc/frame_source.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <weft/runtime/net/frame.hpp>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t message_size = sizeof(frame_message);
constexpr std::size_t frame_size = frame_header_size + message_size;

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

}  // namespace

frame_message frame_message_from(const std::string& bytes) {
  if (bytes.size() != message_size) throw std::runtime_error{"not a message of a frame source"};
  frame_message m{};
  std::memcpy(&m, bytes.data(), message_size);
  return m;
}

frame_source::frame_source(int port, int players) {
  poll_ = epoll_create1(EPOLL_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < players; ++i) {
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
    const int on = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(s, F_SETFL, O_NONBLOCK);
    epoll_event readable{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, s, &readable);
    connections_.push_back({.fd = s});
  }
}

frame_source::~frame_source() {
  for (auto& one : connections_) close(one.fd);
  close(poll_);
}

frame_source::outcome frame_source::run(const plan& p) {
  const auto began = clock::now() + 1ms;
  count_from_ = began + p.warm_up;
  end_ = count_from_ + std::chrono::round<clock::duration>(std::chrono::duration<double>{p.seconds});
  const auto interval = std::chrono::nanoseconds{1'000'000'000LL / p.per_second};
  std::uint64_t number = 0, sent = 0, due_in_time = 0;
  for (auto due = began; due < end_;) {
    for (const auto now = clock::now(); due <= now && due < end_; due += interval, ++number) {
      const auto b = p.next(number);
      for (int i = 0; i < b.frames; ++i) send_frame(b.player % connections_.size(), b.kind, due);
      sent += static_cast<std::uint64_t>(b.frames);
      if (due >= count_from_) due_in_time += static_cast<std::uint64_t>(b.frames);
    }
    receive(due - clock::now());
  }
  const auto give_up = clock::now() + 30s;  // what was offered beyond the capacity is answered late, and counts as that
  while (received_ < sent && clock::now() < give_up) {
    for (auto& one : connections_) flush(one);
    receive(10ms);
  }
  if (received_ != sent) throw std::runtime_error{std::to_string(sent - received_) + " frames without a reply"};
  outcome_.due_per_second = static_cast<double>(due_in_time) / p.seconds;
  outcome_.answered_per_second = static_cast<double>(in_time_) / p.seconds;
  return outcome_;
}

void frame_source::send_frame(std::size_t player, std::uint32_t kind, clock::time_point due) {
  auto& to = connections_[player];
  const frame_message m{.due = std::chrono::nanoseconds{due.time_since_epoch()}.count(),
                        .player = static_cast<std::uint32_t>(player),
                        .kind = kind,
                        .serial = to.serial++,
                        .unused = 0};
  const auto at = to.out.size();
  const auto header = make_frame_header(message_size);
  to.out.resize(at + frame_size);
  std::memcpy(to.out.data() + at, header.data(), header.size());
  std::memcpy(to.out.data() + at + frame_header_size, &m, message_size);
  flush(to);
}

void frame_source::flush(connection& to) {
  if (to.out.empty()) return;
  const auto n = send(to.fd, to.out.data(), to.out.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) fail("send");
  to.out.erase(to.out.begin(), to.out.begin() + std::max<ssize_t>(n, 0));
}

void frame_source::receive(clock::duration patience) {
  static constexpr int at_once = 64;
  epoll_event ready[at_once];
  const auto ns = std::max<std::int64_t>(patience.count(), 0);
  const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
  const int n = epoll_pwait2(poll_, ready, at_once, &wait, nullptr);
  for (int i = 0; i < n; ++i) read_replies(connections_[ready[i].data.u32]);
}

void frame_source::read_replies(connection& from) {
  static constexpr std::size_t piece = 65'536;
  const auto have = from.in.size();
  from.in.resize(have + piece);
  const auto n = read(from.fd, from.in.data() + have, piece);
  from.in.resize(have + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n == 0) throw std::runtime_error{"the gate closed a connection"};
  const auto now = clock::now();
  std::size_t at = 0;
  for (; at + frame_size <= from.in.size(); at += frame_size) {
    const auto header = make_frame_header(message_size);
    if (std::memcmp(from.in.data() + at, header.data(), header.size()) != 0)
      throw std::runtime_error{"not the reply frame"};
    frame_message m{};
    std::memcpy(&m, from.in.data() + at + frame_header_size, message_size);
    if (m.kind >= kinds) throw std::runtime_error{"not the reply frame"};
    const clock::time_point due{std::chrono::nanoseconds{m.due}};
    ++received_;
    if (due < count_from_) continue;
    outcome_.latency[m.kind].add(now - due);
    if (now < end_) ++in_time_;
  }
  from.in.erase(from.in.begin(), from.in.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace weft::bench
