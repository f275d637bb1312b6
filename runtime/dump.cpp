#include <weft/runtime/dump.hpp>

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <weft/runtime/context.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/visit.hpp>

namespace weft {
namespace {

std::string place_of(void* address) {
  Dl_info info{};
  if (address == nullptr) return "?";
  char text[160];
  if (dladdr(address, &info) != 0 && info.dli_fname != nullptr) {
    const std::string file{info.dli_fname};
    const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    std::snprintf(text, sizeof text, "+0x%llx", static_cast<unsigned long long>(offset));
    return file.substr(file.rfind('/') + 1) + text;
  }
  std::snprintf(text, sizeof text, "%p", address);
  return text;
}

// A chain of single children is one line, so that a task reads as a path.
void describe(const context* first, const std::string& path, time_point now, std::string& out) {
  for (const auto* c = first; c != nullptr; c = c->next_sibling()) {
    const auto here = path.empty() ? std::string{c->name()} : path + " / " + c->name();
    // A task that only waits for its children is told by them.
    if (const auto* w = c->waiting(); w != nullptr && c->first_child() == nullptr) {
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - w->since()).count();
      out += here + ": " + w->what() + " for " + std::to_string(ms) + " ms, on " + c->home().name() + ", at " +
             place_of(w->where()) + "\n";
    } else if (c->first_child() == nullptr) {
      out += here + ": running or about to run, on " + c->home().name() + "\n";
    }
    describe(c->first_child(), here, now, out);
  }
}

std::size_t count(const context* first) {
  std::size_t n = 0;
  for (const auto* c = first; c != nullptr; c = c->next_sibling()) n += 1 + count(c->first_child());
  return n;
}

worker& this_worker(const char* what) {
  auto* w = worker::current();
  if (w == nullptr) misuse(std::string{what} + " was called on a thread that is no worker: use dump(runtime&)");
  return *w;
}

}  // namespace

std::string dump_here() {
  auto& w = this_worker("dump_here");
  std::string out;
  describe(w.roots(), "", w.read_clock(), out);
  return out;
}

std::string dump(runtime& rt) {
  std::string out;
  const int count = rt.workers() == 0 ? 1 : rt.workers();
  for (int i = 0; i < count; ++i) visit(rt.worker_at(i), [&out] { out += dump_here(); });
  return out;
}

std::size_t live_tasks_here() { return count(this_worker("live_tasks_here").roots()); }

}  // namespace weft
