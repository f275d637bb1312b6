#pragma once
#include "grpc/testing/test.weft.hpp"

namespace interop {

/// grpc.testing.TestService as gRPC's interop description has it.
class test_service final : public grpc::testing::TestService::service {
 public:
  using service::service;

  weft::reply<grpc::testing::Empty> EmptyCall(grpc::testing::Empty& request) override;
  weft::reply<grpc::testing::SimpleResponse> UnaryCall(grpc::testing::SimpleRequest& request) override;
  weft::task<weft::status>
  StreamingOutputCall(grpc::testing::StreamingOutputCallRequest& request,
                      weft::writer<grpc::testing::StreamingOutputCallResponse>& replies) override;
  weft::reply<grpc::testing::StreamingInputCallResponse>
  StreamingInputCall(weft::reader<grpc::testing::StreamingInputCallRequest>& requests) override;
  weft::task<weft::status> FullDuplexCall(weft::reader<grpc::testing::StreamingOutputCallRequest>& requests,
                                          weft::writer<grpc::testing::StreamingOutputCallResponse>& replies) override;
  weft::task<weft::status> HalfDuplexCall(weft::reader<grpc::testing::StreamingOutputCallRequest>& requests,
                                          weft::writer<grpc::testing::StreamingOutputCallResponse>& replies) override;
};

}  // namespace interop
