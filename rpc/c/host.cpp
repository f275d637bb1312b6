#include <weft/rpc/c/host.hpp>

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/visit.hpp>

namespace weft::c {
namespace {

thread_hook hook_of(const weft_runtime_options& said) {
  if (said.thread_start == nullptr) return {};
  return [hook = said.thread_start, user = said.hook_user](const char* name) { hook(user, name); };
}

// Without the letter of the severity.
std::string line_of(const log_record& r) {
  auto line = weft::to_string(r);
  return line.size() > 2 ? line.substr(2) : line;
}

rpc_options options_for(const weft_runtime_options& said, event_queue& events) {
  rpc_options options;
  options.runtime.workers = said.workers;
  options.runtime.wake.fd = said.workers == 0 && said.wake_fd != 0;
  options.runtime.thread_start = hook_of(said);
  if (said.log == WEFT_LOG_EVENTS) {
    options.runtime.log = [&events](const log_record& r) {
      events.log(static_cast<std::int32_t>(r.level), line_of(r));
    };
  } else if (said.log == WEFT_LOG_HOOK) {
    options.runtime.log = [hook = said.log_line, user = said.hook_user](const log_record& r) {
      hook(user, static_cast<std::int32_t>(r.level), line_of(r).c_str());
    };
  } else if (said.log == WEFT_LOG_NONE) {
    options.runtime.log = [](const log_record&) {};
  }
  return options;
}

// Servers first, so that nothing new comes in; then who uses services, then those.
int place(kind k) {
  switch (k) {
    case kind::server: return 0;
    case kind::session: return 1;
    default: return 2;
  }
}

}  // namespace

int bad_handle(weft_handle h, const object* found) {
  const auto number = std::to_string(h);
  if (found == nullptr) return fail(WEFT_BAD_HANDLE, "handle " + number + " is closed, or never was one");
  return fail(WEFT_BAD_HANDLE, "handle " + number + " is a " + to_string(found->what()) + ", which this is not for");
}

std::shared_ptr<host> host::make(const weft_runtime_options& options) {
  auto made = std::make_shared<host>(options);
  handles::all().add(made);
  return made;
}

host::host(const weft_runtime_options& options)
    : object{kind::runtime, nullptr},
      thread_start_{hook_of(options)},
      rt_{std::make_unique<rpc_runtime>(options_for(options, events_))} {
  if (options.workers == 0 && options.wake_fd != 0) wake_ = std::make_unique<either_fd>(rt_->wake_fd(), events_.fd());
}

host::~host() = default;

result<const named_method*> host::method(std::string_view text) {
  const auto name = parse_method_name(text);
  if (!name.ok()) return name.status();
  const std::lock_guard lock{names_mutex_};
  const auto alias = aliases_.find(name->service);
  auto path =
      "/" + (alias != aliases_.end() ? alias->second : std::string{name->service}) + "/" + std::string{name->method};
  if (const auto known = methods_.find(path); known != methods_.end()) return known->second.get();
  if (methods_.size() == most_methods) {
    return resource_exhausted("more than " + std::to_string(most_methods) + " methods were called by name");
  }
  auto made = std::make_unique<named_method>();
  made->path = path;
  made->info.path = made->path.c_str();
  if (const auto* described = types_.method(path)) {
    made->info.idempotent =
        described->options().idempotency_level() != google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN;
  }
  return methods_.emplace(std::move(path), std::move(made)).first->second.get();
}

status host::alias(const char* name, const char* service) {
  const auto is_name = [](const char* text) { return text != nullptr && is_service_name(text); };
  if (!is_name(name) || !is_name(service)) {
    return invalid_argument("an alias and what it stands for are names joined by dots, not '" + text_or_empty(name) +
                            "' and '" + text_or_empty(service) + "'");
  }
  const std::lock_guard lock{names_mutex_};
  aliases_.insert_or_assign(name, service);
  return {};
}

status host::route(const char* service, std::shared_ptr<target> to) {
  if (service == nullptr || !is_service_name(service)) {
    return invalid_argument("'" + text_or_empty(service) + "' is no service's full name: \"package.Service\"");
  }
  const std::lock_guard lock{names_mutex_};
  routes_.insert_or_assign(service, std::move(to));
  return {};
}

result<std::shared_ptr<target>> host::route_of(const named_method& m) {
  const auto service = parse_method_name(m.path)->service;
  const std::lock_guard lock{names_mutex_};
  if (const auto found = routes_.find(service); found != routes_.end()) return found->second;
  std::string known;
  for (const auto& [name, to] : routes_) known.append(known.empty() ? "" : ", ").append(name);
  return not_found("no route for " + std::string{service} + "; there are " + (known.empty() ? "none" : known));
}

io& host::sockets() {
  const std::lock_guard lock{names_mutex_};
  if (!sockets_) sockets_ = std::make_unique<io>(io_options{.thread_start = thread_start_});
  return *sockets_;
}

result<pump_result> host::pump(const pump_options& options) {
  if (rt_->workers() != 0) return failed_precondition("this runtime has workers: it is not pumped");
  return rt_->pump(options);
}

result<int> host::wake_fd() const {
  if (rt_->workers() != 0) return events_.fd();
  if (!wake_)
    return failed_precondition("a runtime without workers has a descriptor if weft_runtime_options.wake_fd is 1");
  return wake_->fd();
}

// 1. The handles are gone: no function finds anything of it any more, and those that had are awaited.
// 2. What the program made is closed, in an order in which nothing uses what is closed already.
// 3. What is still under way is cut short: its events go nowhere.
void host::end() {
  auto objects = handles::all().remove_all(*this);
  {
    const std::unique_lock last{ending_};
    ended_ = true;
  }
  for (int now = 0; now <= 2; ++now) {
    for (auto& o : objects) {
      if (place(o->what()) != now) continue;
      if (auto* c = dynamic_cast<closable*>(o.get())) std::ignore = c->close();
    }
  }
  visit(home(), [this] {
    const std::vector all(in_flight_.begin(), in_flight_.end());
    for (auto* u : all) {
      if (in_flight_.contains(u)) u->give_up(cancelled("the runtime has ended"));
    }
  });
  // Connections go while something still polls gRPC, which otherwise keeps some of their sockets, and its threads.
  {
    const std::lock_guard lock{names_mutex_};
    routes_.clear();
  }
  objects.clear();
  rt_->stop();
  sockets_.reset();
  // Requests that came meanwhile, and what events know, which knows this.
  std::ignore = handles::all().remove_all(*this);
  events_.clear();
  wake_.reset();
  rt_.reset();
}

}  // namespace weft::c

using namespace weft::c;

int weft_runtime_create(const weft_runtime_options* options, weft_handle* runtime) {
  return guarded([&] {
    if (runtime == nullptr) return fail(WEFT_INVALID_ARGUMENT, "runtime is NULL");
    const auto said = take(options, "weft_runtime_options");
    if (!said.ok()) return fail(said.status());
    if (said->workers < 0 || said->log < WEFT_LOG_STDERR || said->log > WEFT_LOG_HOOK) {
      return fail(WEFT_INVALID_ARGUMENT, "weft_runtime_options: workers or log is out of range");
    }
    if ((said->log == WEFT_LOG_HOOK) != (said->log_line != nullptr)) {
      return fail(WEFT_INVALID_ARGUMENT, "weft_runtime_options: WEFT_LOG_HOOK and log_line go together");
    }
    *runtime = host::make(*said)->handle();
    return static_cast<int>(WEFT_OK);
  });
}

int weft_runtime_destroy(weft_handle runtime) {
  return guarded([&] {
    const auto found = handles::all().find(runtime);
    const auto it = std::dynamic_pointer_cast<host>(found);
    if (!it) return bad_handle(runtime, found.get());
    {
      const auto lock = it->enter();
      if (!lock) return bad_handle(runtime, nullptr);
      const host::turn mine{*it};
      if (!mine) return host::not_my_turn();
      handles::all().remove(runtime);
    }
    it->end();
    return static_cast<int>(WEFT_OK);
  });
}

int weft_pump(weft_handle runtime, int64_t budget_us, uint32_t max_events, weft_pump_report* report) {
  return with<host>(runtime, [&](const auto& h) {
    const host::turn mine{*h};
    if (!mine) return host::not_my_turn();
    constexpr std::int64_t most_us = 1'000'000'000;
    const std::chrono::microseconds budget{std::clamp<std::int64_t>(budget_us, 0, most_us)};
    const auto pumped = h->pump({.budget = budget, .max_events = max_events});
    if (!pumped.ok()) return fail(pumped.status());
    if (report == nullptr) return static_cast<int>(WEFT_OK);
    weft_pump_report all{};
    all.more = pumped->more ? 1 : 0;
    all.next_timer_us = -1;
    if (pumped->next_timer != weft::never) {
      const auto left = pumped->next_timer - h->rt().time().now();
      all.next_timer_us = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(left).count());
    }
    all.ran = static_cast<std::uint32_t>(std::min<std::size_t>(pumped->ran, UINT32_MAX));
    all.left = static_cast<std::uint32_t>(pumped->left);
    return as_code(fill(report, all, "weft_pump_report"));
  });
}

int weft_wake_fd(weft_handle runtime, int* fd) {
  return with<host>(runtime, [&](const auto& h) {
    if (fd == nullptr) return fail(WEFT_INVALID_ARGUMENT, "fd is NULL");
    const auto found = h->wake_fd();
    if (!found.ok()) return fail(found.status());
    *fd = *found;
    return static_cast<int>(WEFT_OK);
  });
}

int weft_poll(weft_handle runtime, weft_event* event) {
  return with<host>(runtime, [&](const auto& h) {
    weft_event next{};
    if (auto s = fill(event, next, "weft_event"); !s.ok()) return fail(s);  // before an event is taken
    if (!h->events().take(next)) return fail(WEFT_FAILED_PRECONDITION, "another thread polls this runtime");
    return as_code(fill(event, next, "weft_event"));
  });
}

int weft_alias(weft_handle runtime, const char* name, const char* service) {
  return with<host>(runtime, [&](const auto& h) { return as_code(h->alias(name, service)); });
}

int weft_route(weft_handle runtime, const char* service, weft_handle to) {
  return with<host>(runtime, [&](const auto& h) {
    const auto found = handles::all().find(to);
    auto t = std::dynamic_pointer_cast<target>(found);
    if (!t || t->shared_owner() != h || t->what() == kind::request) return bad_handle(to, found.get());
    return as_code(h->route(service, std::move(t)));
  });
}

int weft_types_add(weft_handle runtime, const void* descriptors, size_t size) {
  return with<host>(runtime, [&](const auto& h) {
    const auto bytes = take_bytes(descriptors, size, "descriptors");
    if (!bytes.ok()) return fail(bytes.status());
    return as_code(h->types().add(*bytes));
  });
}

int weft_types_load(weft_handle runtime, const char* file) {
  return with<host>(runtime, [&](const auto& h) {
    std::ifstream in{text_or_empty(file), std::ios::binary};
    std::ostringstream bytes;
    if (!in || !(bytes << in.rdbuf())) {
      return fail(WEFT_NOT_FOUND, "'" + text_or_empty(file) + "' cannot be read");
    }
    return as_code(h->types().add(bytes.str()));
  });
}

int weft_close(weft_handle handle) {
  return with<object>(handle, [&](const auto& o) {
    auto* c = dynamic_cast<closable*>(o.get());
    if (c == nullptr) {
      return fail(WEFT_FAILED_PRECONDITION, std::string{"a "} + to_string(o->what()) + " is not closed by weft_close");
    }
    auto& owner = o->owner();
    const host::turn mine{owner};
    if (!mine) return host::not_my_turn();
    if (auto s = c->close(); !s.ok()) return fail(s);
    handles::all().remove(handle);
    return static_cast<int>(WEFT_OK);
  });
}
