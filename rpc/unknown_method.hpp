#pragma once
#include <weft/rpc/server_state.hpp>

namespace weft {

/// Answers calls of methods that are not here. gRPC's own answer to them can crash the process (grpc#32356).
class server::state::unknown_method final : operation {
 public:
  explicit unknown_method(state& s) : state_{s}, stream_{&context_} {}

  void arm() {
    void* tag = state_.queue_.begin(*this);
    if (tag == nullptr) {
      delete this;
      return;
    }
    ++state_.live_;
    auto& queue = state_.queue_.queue();
    state_.generic_.RequestCall(&context_, &stream_, &queue, &queue, tag);
  }

 private:
  void on_event(bool ok) noexcept override {
    if (replying_ || !ok) {
      auto& s = state_;
      delete this;
      return s.ended();
    }
    replying_ = true;
    state_.arm_unknown();
    ++state_.server_.counters_.unimplemented;
    stream_.Finish({grpc::StatusCode::UNIMPLEMENTED, "no method " + context_.method()}, state_.queue_.begin(*this));
  }

  state& state_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  bool replying_ = false;
};

}  // namespace weft
