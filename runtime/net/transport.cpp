#include <weft/runtime/net/transport.hpp>

namespace weft {

void transport::start(user& to, worker& home, const link_options& options) {
  user_ = &to;
  way_ = std::make_unique<way_home>(home);
  started(options);
}

void transport::release() noexcept {
  user_ = nullptr;
  way_->shut();
}

void transport::call_back() noexcept { writable_.send(shared_from_this(), *way_); }

void transport::tell_writable() noexcept {
  if (user_ != nullptr) user_->on_writable();
}

}  // namespace weft
