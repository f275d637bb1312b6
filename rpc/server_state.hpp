#pragma once
#include <cstddef>
#include <memory>
#include <semaphore>
#include <stop_token>
#include <unordered_set>
#include <vector>
#include <weft/rpc/call_admission.hpp>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/listener.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>

namespace weft {

/// What gRPC holds while the server runs. On the polling worker, except for start and shutdown.
class server::state {
 public:
  explicit state(server& s);
  ~state();

  status start();
  void stop(duration grace, const std::stop_token& at_once) noexcept;

 private:
  class incoming_call;
  class incoming_session;
  class incoming_stream;
  class unknown_method;
  struct shutdown final : operation {
    explicit shutdown(state& s) noexcept : self{s} {}
    void on_event(bool) noexcept override { self.ended(); }
    state& self;
    detail::server_shutdown begun;
  };
  struct method {
    rpc_service* service;
    const served_method* entry;
    int index;
    std::vector<std::unique_ptr<incoming_call>> idle;  // unary ones are used again
  };

  status check_options() const;
  result<std::shared_ptr<grpc::ServerCredentials>> credentials() const;
  status listen();
  void set_limits(grpc::ServerBuilder& builder) const;
  void say_where() const;
  void say_cut_off(const char* method) const noexcept;
  void hand_over(int fd);
  void arm_all();
  template <class Done>
  void pump_until(Done done) noexcept;
  void arm(method& m);
  void arm_unary(method& m);
  void arm_unknown();
  void arm_session();
  void tell_if_ended() noexcept;
  // Something that gRPC held is back for good.
  void ended() noexcept {
    --live_;
    tell_if_ended();
  }

  server& server_;
  completion_queue& queue_;
  worker& home_;
  detail::byte_service bytes_;
  grpc::AsyncGenericService generic_;
  std::vector<method> methods_;
  int attach_index_ = 0;
  std::unordered_set<incoming_session*> sessions_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  listener listener_;
  detail::call_admission admission_;
  std::size_t live_ = 0;  // calls and armed requests at gRPC
  bool stopping_ = false;
  bool draining_ = false;
  shutdown shutdown_{*this};
  std::binary_semaphore ended_{0};
};

}  // namespace weft
