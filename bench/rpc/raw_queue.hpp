#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server.h>

#include <weft/bench/rpc/measure.hpp>

// The peer that the others are compared with: unary calls over gRPC's completion queue, as one writes them by hand.
// One queue and one thread on each side, recycled call objects with a state, no coroutines, nothing from weft.
// Both sides do what grpc_cpp_plugin's AsyncService and stub do, with typed messages.

namespace weft::bench {

/// Integer arguments, for the channel or for the server, by gRPC's names.
using channel_arguments = std::vector<std::pair<std::string, int>>;

struct raw_server_options {
  /// Requests that wait for a call at any time. Each match arms the next at once: measured at 64 and 512
  /// outstanding, 1 to 512 differ by less than the noise.
  int pre_armed = 128;
  channel_arguments arguments;
};

/// Answers bench.v1.Echo/Say with the payload it was sent.
class raw_server {
 public:
  /// Listens on a free port of 127.0.0.1; throws std::runtime_error when it cannot.
  explicit raw_server(const raw_server_options& options);
  /// Requires: serve() has returned or was never called.
  ~raw_server();

  int port() const noexcept { return port_; }

  /// Answers calls on the calling thread until stop(). Once.
  void serve();

  /// Ends serve(): waits up to a second for the calls in progress, cancels the rest. Once, from another thread.
  void stop();

 private:
  class service;
  class call;

  void arm();

  int pre_armed_;
  int port_ = 0;
  std::unique_ptr<service> service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  grpc::Alarm stopped_;
  std::deque<call> calls_;  // all there are; addresses are tags
  std::vector<call*> idle_;
  std::size_t outstanding_ = 0;  // tags that gRPC holds
};

struct raw_client_options {
  std::string target;
  channel_arguments arguments;
  std::size_t payload = 32;  // bytes
  int outstanding = 1;
  std::optional<std::chrono::nanoseconds> deadline;  // of each call, counted from its start
};

/// Keeps a number of calls to bench.v1.Echo/Say outstanding over one channel.
class raw_client {
 public:
  explicit raw_client(raw_client_options options);
  ~raw_client();

  /// Connects, then calls from the calling thread until the load's time is over, and waits for the last reply.
  /// Any failed call, and any reply without the payload that was sent, voids the run. Once.
  run_result run(const load& load);

 private:
  class call;

  raw_client_options options_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::CompletionQueue queue_;
};

}  // namespace weft::bench
