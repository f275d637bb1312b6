#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>

namespace weft::detail {

/// gRPC's side of a peer. On the polling worker, except for its construction.
class channel {
 public:
  channel(rpc_runtime& rt, const std::string& address, const peer_options& options);

  const client_method& registered(const method_info& method);
  grpc::Channel& grpc() noexcept { return *channel_; }
  rpc_runtime& owner() noexcept { return owner_; }
  worker& home() noexcept { return owner_.worker_at(0); }

 private:
  rpc_runtime& owner_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unordered_map<const method_info*, client_method> methods_;
};

}  // namespace weft::detail
