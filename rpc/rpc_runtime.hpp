#pragma once
#include <weft/rpc/completion_queue.hpp>
#include <weft/runtime/runtime.hpp>

namespace weft {

class server;

struct rpc_options {
  runtime_options runtime;
  bool process_setup = true;  ///< Call `weft::process_setup()`.
};

/// A runtime whose worker 0 polls gRPC: servers and peers are made from one. One server at most.
class rpc_runtime final : public runtime {
 public:
  explicit rpc_runtime(rpc_options options = {});
  ~rpc_runtime() override;

  /// Shuts the server down, then as `runtime::stop`.
  void stop() noexcept override;

  completion_queue& queue() noexcept { return queue_; }

 private:
  friend server;
  rpc_runtime(rpc_options& options, std::unique_ptr<completion_queue> queue);

  completion_queue& queue_;
  server* server_ = nullptr;
};

}  // namespace weft
