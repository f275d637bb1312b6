#include <weft/rpc/drain.hpp>

#include <algorithm>
#include <stop_token>
#include <tuple>
#include <weft/rpc/health.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace weft {
namespace {

// A task beside main's, until it goes: the next signal is passed on.
class impatience {
 public:
  impatience(runtime& rt, signals& asked, std::stop_source& at_once)
      : runtime_{rt}, watch_{rt.control(), nullptr, "impatience"} {
    detail::admission way_in{rt.control()};
    started_ = way_in.open() && watch_.start(wait(&asked, &at_once));
  }
  ~impatience() {
    if (!started_) return;
    visit(runtime_.control().home(), [this] {
      if (!watch_.done()) watch_.own_context().stop();
    });
    if (runtime_.workers() == 0) {
      watch_.pump(runtime_);
    } else {
      watch_.block();
    }
  }
  impatience(const impatience&) = delete;
  impatience& operator=(const impatience&) = delete;

 private:
  static task<> wait(signals* asked, std::stop_source* at_once) {
    const int number = co_await asked->next();
    if (number != 0) at_once->request_stop();
  }

  runtime& runtime_;
  detail::waited<void> watch_;
  bool started_ = false;
};

}  // namespace

void drain(server& s, health& h, signals& asked, duration grace) {
  auto& rt = h.owner();
  std::stop_source at_once;
  const impatience watch{rt, asked, at_once};
  h.set_all_not_serving();
  std::ignore = sync_wait(rt, with_timeout(std::min(grace, most_to_tell_watchers), h.watchers_gone()));
  s.stop(grace, at_once.get_token());
}

}  // namespace weft
