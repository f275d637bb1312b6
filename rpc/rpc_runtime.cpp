#include <weft/rpc/rpc_runtime.hpp>

#include <utility>
#include <weft/rpc/process_setup.hpp>
#include <weft/rpc/server.hpp>

namespace weft {

rpc_runtime::rpc_runtime(rpc_options options) : rpc_runtime{options, std::make_unique<completion_queue>()} {}

rpc_runtime::rpc_runtime(rpc_options& options, std::unique_ptr<completion_queue> queue)
    : runtime{(options.process_setup ? process_setup() : void(), std::move(options.runtime)),
              std::unique_ptr<event_source>{queue.get()}},
      queue_{*queue.release()} {}

rpc_runtime::~rpc_runtime() { stop(); }

void rpc_runtime::stop() noexcept {
  if (server_ != nullptr) server_->stop();
  runtime::stop();
}

}  // namespace weft
