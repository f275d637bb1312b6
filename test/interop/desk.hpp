#pragma once
#include <cstdint>
#include <map>
#include <weft/runtime/runtime.hpp>

#include "desk.weft.hpp"

namespace interop {

/// The service of desk.proto, for either end of a session.
class desk final : public ::desk::v1::Desk::service {
 public:
  explicit desk(weft::runtime& rt);

  weft::reply<::desk::v1::TakeReply> Take(::desk::v1::TakeRequest& request) override;
  weft::reply<::desk::v1::Nothing> Refuse(::desk::v1::RefuseRequest& request) override;
  weft::reply<::desk::v1::Nothing> Hold(::desk::v1::HoldRequest& request) override;
  weft::reply<::desk::v1::HeldReply> Held(::desk::v1::Nothing& request) override;
  weft::reply<::desk::v1::NoteReply> Note(::desk::v1::NoteRequest& request) override;
  weft::reply<::desk::v1::CallBackReply> CallBack(::desk::v1::CallBackRequest& request) override;

 private:
  std::map<std::uint64_t, std::uint64_t> last_;
  std::uint64_t taken_ = 0;
  std::uint64_t inversions_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t stopped_ = 0;
  std::uint64_t holding_ = 0;
  std::uint64_t most_ = 0;
  std::uint64_t holding_bytes_ = 0;
  std::uint64_t most_bytes_ = 0;
};

}  // namespace interop
