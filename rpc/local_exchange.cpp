#include <weft/rpc/local_exchange.hpp>

#include <weft/rpc/bytes.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

local_exchange::local_exchange(rpc_service& to, const served_method& method,
                               const google::protobuf::MessageLite& request)
    : to_{to}, method_{method}, status_{serialize(request, request_)} {}

status local_exchange::start(owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept {
  if (!status_.ok()) return status_;
  owner_ = &o;
  if (extras != nullptr) sent_ = extras->sent;
  status_ = accept(method_, to_, *this, request_, call_);
  if (!status_.ok()) return status_;
  request_.Clear();
  at_service_ = true;
  if (caller_ != nullptr) {
    call_->begin(*caller_, deadline == never ? duration::max() : deadline - home.now());
  } else {
    call_->begin(home, deadline);
  }
  if (call_->settled()) {
    completed();
  } else {
    call_->tell(*this);
  }
  return {};
}

void local_exchange::cancel() noexcept {
  if (call_) call_->give_up(cancelled("the caller has gone"));  // ends in `completed`
}

void local_exchange::completed() noexcept {
  status_ = detail::take(method_, *call_, reply_);
  if (const auto* extras = call_->arrived_extras()) {
    replied_ = true;
    headers_ = extras->headers;
    trailers_ = extras->trailers;
  }
  call_.reset();
  owner_->arrived();
}

status local_exchange::take(google::protobuf::MessageLite& reply) {
  return status_.ok() ? parse(reply_, reply) : status_;
}

void local_exchange::take_metadata(call_extras& into) {
  if (!replied_) {  // they keep what they have
    into.headers_into = into.trailers_into = nullptr;
    into.came_compressed_into = nullptr;
  }
  into.headers = headers_;
  into.trailers = trailers_;
}

void local_exchange::end() noexcept {
  call_.reset();
  ended_ = true;
  if (!at_service_) delete this;
}

void local_exchange::call_gone() noexcept {
  at_service_ = false;
  if (ended_) delete this;
}

}  // namespace weft::detail
