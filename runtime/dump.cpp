#include <weft/runtime/dump.hpp>

#include <weft/runtime/context.hpp>
#include <weft/runtime/misuse.hpp>

namespace weft {
namespace {

std::size_t count(const context* first) {
  std::size_t n = 0;
  for (const auto* c = first; c != nullptr; c = c->next_sibling()) n += 1 + count(c->first_child());
  return n;
}

}  // namespace

std::string dump_here() { return to_string(snapshot_here()); }

std::string dump(runtime& rt, duration patience) { return to_string(snapshot(rt, patience)); }

std::size_t live_tasks_here() {
  const auto* w = worker::current();
  if (w == nullptr) misuse("live_tasks_here was called on a thread that is no worker: visit one");
  return count(w->roots());
}

}  // namespace weft
