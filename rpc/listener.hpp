#pragma once
#include <functional>
#include <string>
#include <thread>
#include <vector>
#include <weft/runtime/result.hpp>
#include <weft/runtime/threads.hpp>

namespace weft {

/// Listens on addresses and accepts their connections on a thread of its own. gRPC's own listener ends for good when it once
/// runs out of file descriptors (CVE-2023-4785); this one says so and waits until there are some.
class listener {
 public:
  /// `accepted` is given each connection's file descriptor, on the listener's thread; `report` is told of trouble.
  listener(std::function<void(int fd)> accepted, std::function<void(const std::string&)> report);
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// "host:port", "[::1]:port", "unix:path", "unix-abstract:name"; port 0 takes a free one. Connections wait at the kernel
  /// until `start`. Yields the port, 0 for Unix sockets. Errors: UNAVAILABLE, with the address and why.
  result<int> bind(const std::string& address);
  void start(const thread_hook& hook = {});
  /// Accepts nothing more, and listens no more. Blocks until its thread has ended. Idempotent.
  void stop() noexcept;

 private:
  status bind_unix(const std::string& address, const std::string& name, bool abstract);
  result<int> bind_network(const std::string& address, std::string host, const std::string& port);
  void run();
  bool accept_from(int socket);

  std::function<void(int)> accepted_;
  std::function<void(const std::string&)> report_;
  std::vector<int> sockets_;
  std::vector<std::string> paths_;  // of Unix sockets, to be removed
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace weft
