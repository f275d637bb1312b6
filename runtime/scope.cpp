#include <weft/runtime/scope.hpp>

#include <weft/runtime/misuse.hpp>

namespace weft {

scope::scope(context& opener) noexcept : ctx_{opener.home(), &opener, "scope"} { ctx_.enter(); }

scope::~scope() {
  if (running_ != 0) misuse("a scope ended with tasks running: end it by with_scope, which awaits them");
}

void scope::stop() noexcept {
  ctx_.must_be_home("the scope");
  ctx_.stop();
}

void scope::start_job(task<> job, const char* name) {
  ctx_.must_be_home("the scope or lane");
  auto* c = new detail::scope_child<void>{*this, ctx_, name};
  c->own_context().begins_chain();
  ++running_;
  c->start(std::move(job));
}

void scope::child_ended(std::exception_ptr thrown) noexcept {
  if (thrown && !thrown_) {
    thrown_ = std::move(thrown);
    stop();
  }
  if (--running_ == 0 && joiner_ != nullptr) std::exchange(joiner_, nullptr)->done();
}

}  // namespace weft
