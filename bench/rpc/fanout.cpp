#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>
#include <weft/bench/rpc/other_program.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "table.pb.h"

// R28: a room sends events to all its players over TCP, one of whom may have stopped reading. What does an event cost
// for each receiver, when do the others have it, counted from when it was due, and how long is the room busy with it?
// The receivers have a core, the room has the other one.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Move;
using clock = std::chrono::steady_clock;

constexpr std::size_t payload = 200;
constexpr std::size_t outbox = 256;  // events that may wait for a receiver, also in Go

// What both sides know of a run; in words for `parent_link::with`.
struct plan {
  int receivers = 0;
  int stopped = 0;  // of them: the first to connect
  double seconds = 1;

  int per_second() const { return std::clamp(20'000 / receivers, 1, 1'000); }
  int measured() const { return std::max(1, static_cast<int>(seconds * per_second())); }
  int warming_up() const { return std::max(1, per_second() * 3 / 10); }
};

// An event says when it was due, and its number: below zero for those that fill the outbox of who has stopped.
Move event_of(int number, clock::time_point due) {
  Move m;
  m.set_player(static_cast<std::uint32_t>(number));
  m.set_serial(static_cast<std::uint64_t>(std::chrono::nanoseconds{due.time_since_epoch()}.count()));
  m.set_payload(std::string(payload, 'x'));
  return m;
}

// The room.

struct room {
  std::vector<std::unique_ptr<link>> links;
  audience everybody;
  std::vector<membership> seats;
};

// Nobody can tell that a receiver has stopped before the kernel's buffers are full.
task<> fill(link* stopped) {
  const auto event = std::make_shared<const std::string>(event_of(-1, clock::now()).SerializeAsString());
  while (stopped->counters().dropped == 0) {
    for (int i = 0; i < 64; ++i) std::ignore = stopped->send(event);
    std::ignore = co_await sleep_for(1ms);
  }
}

struct room_figures {
  clock::duration busy{};
  std::chrono::nanoseconds cpu{};
};

template <bool Once>
task<room_figures> run_room(tcp_listener* at, room* r, plan p) {
  while (static_cast<int>(r->links.size()) < p.receivers) {
    r->links.push_back(co_await at->accept());
    r->seats.push_back(r->everybody.join(*r->links.back()));
  }
  if (p.stopped > 0) co_await fill(r->links.front().get());
  room_figures f;
  const auto interval = std::chrono::nanoseconds{1'000'000'000LL / p.per_second()};
  auto due = clock::now() + 10ms;
  for (int i = 0; i < p.warming_up() + p.measured(); ++i, due += interval) {
    if (due > clock::now()) std::ignore = co_await sleep_until(due);
    if (i == p.warming_up()) f = {.busy = {}, .cpu = process_cpu_time()};
    const auto began = clock::now();
    const auto event = event_of(i, due);
    if constexpr (Once) {
      r->everybody.send(event.SerializeAsString());
    } else {
      for (auto& one : r->links) std::ignore = one->send(event.SerializeAsString());
    }
    f.busy += clock::now() - began;
  }
  std::ignore = co_await sleep_for(20ms);  // the last of them goes out
  f.cpu = process_cpu_time() - f.cpu;
  co_return f;
}

plan plan_of(const std::string& words) {
  plan p;
  if (!(std::istringstream{words} >> p.receivers >> p.stopped >> p.seconds))
    throw std::runtime_error{"--with is missing"};
  return p;
}

template <bool Once>
void serve_room(parent_link& parent) {
  pin_to_core(server_core);
  const auto p = plan_of(parent.with);
  runtime rt;
  io where;
  service home{rt, {.name = "room"}};
  auto listener =
      tcp_listen(where, home.strand(), "127.0.0.1:0", {.outbound_messages = outbox, .slow = slow_policy::drop_oldest});
  if (!listener.ok()) throw std::runtime_error{listener.status().to_string()};
  parent.announce((*listener)->port());
  room r;
  auto run = [at = listener->get(), r = &r, p] { return run_room<Once>(at, r, p); };
  const auto f = sync_wait(rt, as_task(home.call(run, within{duration::max()})));
  if (!f.ok()) throw std::runtime_error{f.status().to_string()};
  const auto events = static_cast<double>(p.measured());
  std::ostringstream said;
  said << std::chrono::duration<double, std::nano>(f->cpu).count() / events / p.receivers << ' '
       << std::chrono::duration<double, std::micro>(f->busy).count() / events << ' '
       << (p.stopped > 0 ? r.links.front()->counters().dropped : 0) << '\n';
  if (write(STDOUT_FILENO, said.str().data(), said.str().size()) < 0)
    throw std::runtime_error{"cannot say the figures"};
  parent.wait_until_released();
  auto leave = [at = listener->get(), r = &r] {
    at->close();
    r->seats.clear();
    r->links.clear();
  };
  std::ignore = sync_wait(rt, as_task(home.call(leave)));
  home.stop_and_wait();
  listener->reset();
  where.stop();
}

void serve_go_room(const parent_link& parent, const char* encode) {
  const auto p = plan_of(parent.with);
  pin_to_core(server_core);
  become_go({"fanout", "--receivers", std::to_string(p.receivers), "--stopped", std::to_string(p.stopped), "--events",
             std::to_string(p.measured()), "--warm-up-events", std::to_string(p.warming_up()), "--per-second",
             std::to_string(p.per_second()), "--encode", encode, "--payload", std::to_string(payload), "--outbox",
             std::to_string(outbox)});
}

// The receivers.

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

class receivers {
 public:
  receivers(int port, const plan& p) : plan_{p} {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < p.receivers; ++i) {
      const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int little = 4'096;
      if (i < p.stopped) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
      if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
      fcntl(s, F_SETFL, O_NONBLOCK);
      all_.push_back({.fd = s});
      if (i < p.stopped) continue;
      epoll_event readable{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
      epoll_ctl(poll_, EPOLL_CTL_ADD, s, &readable);
    }
  }
  ~receivers() {
    for (const auto& one : all_) close(one.fd);
    close(poll_);
  }
  receivers(const receivers&) = delete;
  receivers& operator=(const receivers&) = delete;

  /// Until all have the last event, but those who have stopped.
  void run() {
    int waiting = plan_.receivers - plan_.stopped;
    const auto give_up = clock::now() + 60s + std::chrono::seconds{static_cast<int>(plan_.seconds)};
    while (waiting > 0) {
      static constexpr int at_once = 64;
      epoll_event ready[at_once];
      const int n = epoll_wait(poll_, ready, at_once, 1'000);
      if (n == 0 && clock::now() > give_up) throw std::runtime_error{"events are missing"};
      for (int i = 0; i < n; ++i) waiting -= read_events(all_[ready[i].data.u32]) ? 1 : 0;
    }
    for (std::size_t i = static_cast<std::size_t>(plan_.stopped); i < all_.size(); ++i)
      if (all_[i].measured != plan_.measured()) throw std::runtime_error{"a receiver that reads missed events"};
  }
  const latency_histogram& latency() const { return latency_; }

 private:
  struct receiver {
    int fd;
    int measured = 0;
    std::string in{};
  };

  bool read_events(receiver& from) {
    static constexpr std::size_t piece = 65'536;
    const auto have = from.in.size();
    from.in.resize(have + piece);
    const auto n = read(from.fd, from.in.data() + have, piece);
    if (n == 0) throw std::runtime_error{"the room closed a connection"};
    from.in.resize(have + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    const auto now = clock::now();
    bool last = false;
    std::size_t at = 0;
    while (at + frame_header_size <= from.in.size()) {
      const auto* h = reinterpret_cast<const unsigned char*>(from.in.data() + at);
      const auto size = std::size_t{h[0]} << 24U | std::size_t{h[1]} << 16U | std::size_t{h[2]} << 8U | h[3];
      if (at + frame_header_size + size > from.in.size()) break;
      Move event;
      if (!event.ParseFromArray(from.in.data() + at + frame_header_size, static_cast<int>(size)))
        throw std::runtime_error{"not an event"};
      at += frame_header_size + size;
      const auto number = static_cast<int>(event.player());
      last = last || number == plan_.warming_up() + plan_.measured() - 1;
      if (number < plan_.warming_up()) continue;
      latency_.add(now - clock::time_point{std::chrono::nanoseconds{event.serial()}});
      ++from.measured;
    }
    from.in.erase(0, at);
    return last;
  }

  const plan plan_;
  int poll_ = -1;
  std::vector<receiver> all_;
  latency_histogram latency_;
};

figures fan_out(const trial_options& o, const char* server, int receivers_, int stopped) {
  const plan p{.receivers = receivers_, .stopped = stopped, .seconds = o.seconds};
  std::ostringstream with;
  with << p.receivers << ' ' << p.stopped << ' ' << p.seconds;
  child_process room{{"fanout", "--serve", server, "--with", with.str()}};
  pin_to_core(client_core);
  receivers all{announced_port(room, 10s), p};
  all.run();
  double ns = 0, room_us = 0, missed = 0;
  if (!(std::istringstream{room.read_line(30s)} >> ns >> room_us >> missed)) throw std::runtime_error{"no figures"};
  if (stopped > 0 && missed == 0) throw std::runtime_error{"who has stopped missed nothing: not stopped at all"};
  figures f{{"ns_per_receiver", ns}, {"room_us", room_us}, {"missed_by_stopped", missed}};
  add_latency(f, all.latency());
  return f;
}

}  // namespace

int run_fanout(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int n : {10, 100, 1'000}) {
    const auto from = [n](const char* server, int stopped) {
      return [=](const trial_options& o) { return fan_out(o, server, n, stopped); };
    };
    all.push_back({"weft audience", false, n, from("audience", 0)});
    all.push_back({"weft audience, one stopped", false, n, from("audience", 1)});
    all.push_back({"weft, encoded for each, one stopped", false, n, from("each", 1)});
    if (!has_go()) continue;
    all.push_back({"Go, encoded once, one stopped", true, n, from("go once", 1)});
    all.push_back({"Go, encoded for each, one stopped", true, n, from("go each", 1)});
  }
  return run_trials({.suite = "fanout",
                     .question =
                         "CPU time of an event of 200 bytes for each receiver, when the others have it, and how long "
                         "the room is busy with it. (R28)",
                     .all = std::move(all),
                     .figure = "ns_per_receiver",
                     .rounds = 3,
                     .seconds = 2,
                     .quick_seconds = 0.5,
                     .servers = {{"audience", serve_room<true>},
                                 {"each", serve_room<false>},
                                 {"go once", [](parent_link& p) { serve_go_room(p, "once"); }},
                                 {"go each", [](parent_link& p) { serve_go_room(p, "each"); }}}},
                    arguments);
}

}  // namespace weft::bench
