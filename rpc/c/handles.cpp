#include <weft/rpc/c/handles.hpp>

#include <algorithm>
#include <utility>

namespace weft::c {

const char* to_string(kind k) noexcept {
  switch (k) {
    case kind::runtime: return "runtime";
    case kind::peer: return "peer";
    case kind::session: return "session";
    case kind::call: return "call";
    case kind::stream: return "stream";
    case kind::service: return "service";
    case kind::server: return "server";
    case kind::request: return "request";
    case kind::link: return "link";
  }
  return "nothing";
}

// Never destroyed: a thread of the program may still ask when the process ends.
handles& handles::all() {
  static auto* const only = new handles;
  return *only;
}

weft_handle handles::add(std::shared_ptr<object> o) {
  const std::lock_guard lock{mutex_};
  o->handle_ = ++last_ << 4U | static_cast<std::uint64_t>(o->what());
  const auto h = o->handle_;
  objects_.emplace(h, std::move(o));
  return h;
}

std::shared_ptr<object> handles::find(weft_handle h) const {
  const std::lock_guard lock{mutex_};
  const auto found = objects_.find(h);
  return found != objects_.end() ? found->second : nullptr;
}

void handles::remove(weft_handle h) {
  std::shared_ptr<object> last;  // destroyed after the lock is
  const std::lock_guard lock{mutex_};
  const auto found = objects_.find(h);
  if (found == objects_.end()) return;
  last = std::move(found->second);
  objects_.erase(found);
}

std::vector<std::shared_ptr<object>> handles::remove_all(const host& owner) {
  std::vector<std::shared_ptr<object>> taken;
  {
    const std::lock_guard lock{mutex_};
    for (auto i = objects_.begin(); i != objects_.end();) {
      if (i->second->shared_owner().get() == &owner) {
        taken.push_back(std::move(i->second));
        i = objects_.erase(i);
      } else {
        ++i;
      }
    }
  }
  std::ranges::sort(taken, {}, [](const auto& o) { return o->handle() >> 4U; });
  return taken;
}

}  // namespace weft::c
