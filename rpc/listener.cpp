#include <weft/rpc/listener.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace weft {
namespace {

constexpr int waiting_connections = 1'024;  // at the kernel, of each socket
constexpr int out_of_descriptors_pause_ms = 100;
constexpr int connections_a_turn = 64;  // of one socket, until the others have theirs, and a stop

status cannot_listen(const std::string& address, const std::string& why) {
  return unavailable("cannot listen on '" + address + "': " + why);
}

status listen_on(int socket, const sockaddr* name, socklen_t size) {
  if (bind(socket, name, size) != 0 || listen(socket, waiting_connections) != 0) {
    return unavailable(std::strerror(errno));
  }
  return {};
}

// getaddrinfo takes larger numbers, and cuts them off.
bool is_port(const std::string& text) {
  std::uint16_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size();
}

int port_of(int socket) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(name).sin6_port
                                          : reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

void set_option(int socket, int level, int name, int value) { setsockopt(socket, level, name, &value, sizeof value); }

// One that a process left behind when it was killed.
bool is_stale(const sockaddr_un& name, socklen_t size) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);  // nor wait for one that is busy
  const bool refused = connect(probe, reinterpret_cast<const sockaddr*>(&name), size) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

}  // namespace

listener::listener(std::function<void(int)> accepted, std::function<void(const std::string&)> report)
    : accepted_{std::move(accepted)}, report_{std::move(report)} {}

listener::~listener() { stop(); }

result<int> listener::bind(const std::string& address) {
  if (wake_ < 0) wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // `start` cannot fail
  if (wake_ < 0) return cannot_listen(address, std::strerror(errno));
  for (const auto& [prefix, abstract] : {std::pair{"unix:", false}, std::pair{"unix-abstract:", true}}) {
    if (!address.starts_with(prefix)) continue;
    if (auto s = bind_unix(address, address.substr(std::strlen(prefix)), abstract); !s.ok()) return s;
    return 0;
  }
  auto host = address.substr(address.starts_with("ipv4:") || address.starts_with("ipv6:") ? 5 : 0);
  const auto colon = host.rfind(':');
  if (colon == std::string::npos) return cannot_listen(address, "it has no port: \"host:port\", or \"unix:path\"");
  const auto port = host.substr(colon + 1);
  host.resize(colon);
  if (!is_port(port)) return cannot_listen(address, "'" + port + "' is no port");
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return bind_network(address, std::move(host), port);
}

status listener::bind_unix(const std::string& address, const std::string& name, bool abstract) {
  sockaddr_un socket_name{};
  socket_name.sun_family = AF_UNIX;
  if (name.empty() || name.size() + 1 > sizeof socket_name.sun_path) return cannot_listen(address, "no such name");
  std::memcpy(socket_name.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return cannot_listen(address, std::strerror(errno));
  sockets_.push_back(socket);
  if (!abstract && is_stale(socket_name, size)) unlink(name.c_str());
  if (auto s = listen_on(socket, reinterpret_cast<const sockaddr*>(&socket_name), size); !s.ok()) {
    return cannot_listen(address, s.message());
  }
  if (!abstract) paths_.push_back(name);
  return {};
}

// A name may have several addresses; all of them get the same port.
result<int> listener::bind_network(const std::string& address, std::string host, const std::string& port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &wanted, &found);
  if (failed != 0) return cannot_listen(address, gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> names{found, &freeaddrinfo};
  int chosen = 0;
  for (const auto* name = found; name != nullptr; name = name->ai_next) {
    const int socket = ::socket(name->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) {
      if (errno == EAFNOSUPPORT && name->ai_next != nullptr) continue;  // a machine without IPv6
      return cannot_listen(address, std::strerror(errno));
    }
    sockets_.push_back(socket);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);  // and not SO_REUSEPORT, with which two servers share one silently
    if (name->ai_family == AF_INET6)
      set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, host.empty() || host == "::" ? 0 : 1);
    if (chosen != 0) {
      (name->ai_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(name->ai_addr)->sin6_port
                                   : reinterpret_cast<sockaddr_in*>(name->ai_addr)->sin_port) =
          htons(static_cast<std::uint16_t>(chosen));
    }
    if (auto s = listen_on(socket, name->ai_addr, name->ai_addrlen); !s.ok()) {
      const bool covered = chosen != 0 && (host.empty() || errno == EADDRNOTAVAIL);  // by an IPv6 socket for both
      if (!covered) return cannot_listen(address, s.message());
      continue;
    }
    if (chosen == 0) chosen = port_of(socket);
  }
  return chosen;
}

void listener::start(const thread_hook& hook) {
  // Signals are for the program's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = start_thread(hook, "weft-listener", [this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void listener::stop() noexcept {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wake_, &one, sizeof one));
    thread_.join();
  }
  if (wake_ >= 0) close(std::exchange(wake_, -1));
  for (const auto& path : paths_) unlink(path.c_str());  // while nobody else can have it
  for (const int socket : sockets_) close(socket);
  sockets_.clear();
  paths_.clear();
}

void listener::run() {
  std::vector<pollfd> watched;
  for (const int socket : sockets_) watched.push_back({socket, POLLIN, 0});
  watched.push_back({wake_, POLLIN, 0});
  bool said = false;
  for (;;) {
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched.back().revents != 0) return;
    bool descriptors_left = true;
    for (std::size_t i = 0; i + 1 < watched.size(); ++i) {
      if (watched[i].revents != 0) descriptors_left &= accept_from(watched[i].fd);
    }
    if (descriptors_left) {
      said = false;
      continue;
    }
    if (!std::exchange(said, true)) report_("no file descriptors left: connections wait until there are some");
    if (poll(&watched.back(), 1, out_of_descriptors_pause_ms) > 0) return;
  }
}

// False when there are no file descriptors left.
bool listener::accept_from(int socket) {
  for (int i = 0; i < connections_a_turn; ++i) {
    const int fd = accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // no effect on Unix sockets
      accepted_(fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }  // otherwise that one connection has failed: the next
  }
  return true;
}

}  // namespace weft
