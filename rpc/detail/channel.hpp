#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>

namespace weft::detail {

class open_channels;

/// One connection of a peer.
class connection {
 public:
  explicit connection(std::shared_ptr<grpc::Channel> channel) noexcept : channel_{std::move(channel)} {}

  const client_method& registered(const method_info& method);
  grpc::Channel& grpc() noexcept { return *channel_; }
  const std::shared_ptr<grpc::Channel>& shared() const noexcept { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  struct known_method {
    known_method(const char* p, const std::shared_ptr<grpc::Channel>& c)
        : path{p}, made{register_method(path.c_str(), c)} {}
    const std::string
        path;  // where `made` points to; and what a method_info made later at the same place is compared with
    client_method made;
  };
  std::unordered_map<const method_info*, std::unique_ptr<known_method>> methods_;
};

/// gRPC's side of a peer. On the polling worker, except for its construction and destruction.
class channel {
 public:
  channel(rpc_runtime& rt, const std::string& address, const peer_options& options);
  ~channel();

  /// The connections in turn.
  connection& next() noexcept {
    turn_ = turn_ + 1 == connections_.size() ? 0 : turn_ + 1;
    return connections_[turn_];
  }
  std::vector<connection>& connections() noexcept { return connections_; }
  /// Why nothing can be called; ok otherwise.
  const status& problem() const noexcept { return problem_; }
  const std::string& address() const noexcept { return address_; }
  /// Sent with every call.
  const weft::metadata& metadata() const noexcept { return metadata_; }
  const std::vector<client_middleware>& middleware() const noexcept { return middleware_; }
  /// Keys of metadata that travel on.
  const std::vector<std::string>& forwarded() const noexcept { return forwarded_; }
  /// Its calls need more than gRPC.
  bool guided() const noexcept { return !middleware_.empty() || !forwarded_.empty(); }
  /// Null: it is not made again.
  const retry_policy* retry_of(const method_info& method) const noexcept;
  retry_throttle& throttle() noexcept { return throttle_; }
  /// After the call has ended with `outcome`: true when it surely reached no connection.
  bool never_left(const grpc::ClientContext& context, const grpc::Status& outcome) const;
  rpc_runtime& owner() noexcept { return owner_; }
  worker& home() noexcept { return owner_.worker_at(0); }

 private:
  rpc_runtime& owner_;
  const std::shared_ptr<open_channels> all_;
  status problem_;
  const std::string address_;
  weft::metadata metadata_;
  const std::vector<retry_policy> retries_;
  const std::vector<client_middleware> middleware_;
  const std::vector<std::string> forwarded_;
  retry_throttle throttle_;
  std::vector<connection> connections_;
  std::size_t turn_ = 0;
};

}  // namespace weft::detail
