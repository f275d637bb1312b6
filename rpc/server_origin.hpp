#pragma once
#include <grpcpp/server_context.h>

#include <optional>
#include <string>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/runtime/call_extras.hpp>

namespace weft::detail {

class call_admission;

/// In the trailing metadata of a refused call.
inline constexpr const char* not_run_key = "weft-not-run";

/// What a handler can ask about a call from the network. Read on the service's strand, after the polling worker has handed
/// the call over: it is written before.
class server_origin : public call_origin {
 public:
  const metadata& received() override {
    if (!received_) received_ = from_grpc(context().client_metadata());
    return *received_;
  }
  std::string peer() const override { return context().peer(); }
  const std::string& identity() const final { return identity_; }

 protected:
  ~server_origin() = default;

  virtual const grpc::ServerContext& context() const noexcept = 0;
  /// Before the polling worker hands the call over.
  void is_from(std::string identity) noexcept { identity_ = std::move(identity); }
  /// For the next call.
  void forget() noexcept {
    received_.reset();
    identity_.clear();
    address_.clear();
  }
  /// What the handler wants said before its replies.
  static void say_first(grpc::ServerContext& context, const metadata& headers, compression c) {
    for (const auto& [key, value] : headers) context.AddInitialMetadata(key, value);
    if (c != compression::none) context.set_compression_algorithm(to_grpc(c));
  }
  /// That the method did not run, for clients that may make the call again.
  static void say_not_run(grpc::ServerContext& context) { context.AddTrailingMetadata(not_run_key, "1"); }
  static void say_last(grpc::ServerContext& context, const metadata& trailers) {
    for (const auto& [key, value] : trailers) context.AddTrailingMetadata(key, value);
  }

 private:
  friend call_admission;
  std::optional<metadata> received_;
  std::string identity_;
  std::string address_;  // by which it is counted
};

}  // namespace weft::detail
