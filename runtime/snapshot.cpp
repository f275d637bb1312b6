#include <weft/runtime/snapshot.hpp>

#include <dlfcn.h>

#include <cstdio>
#include <deque>
#include <unordered_map>
#include <utility>
#include <weft/runtime/context.hpp>
#include <weft/runtime/errand.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service_call.hpp>
#include <weft/runtime/strand.hpp>

namespace weft {
namespace {

std::string place_of(const void* address) {
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

// Thousands wait in the same few places, and looking one up takes microseconds.
class places {
 public:
  void find_for(worker_snapshot& w) {
    for (auto& t : w.tasks) {
      if (t.waits_for.empty()) continue;
      auto [at, fresh] = known_.try_emplace(t.address);
      if (fresh) at->second = place_of(t.address);
      t.where = at->second;
    }
  }

 private:
  std::unordered_map<const void*, std::string> known_;
};

// A chain of single children is one line, so that a task reads as a path. A task that only waits for its children is told
// by them.
void list_tasks(const context* first, const std::string& above, time_point now, std::vector<task_snapshot>& out) {
  for (const auto* c = first; c != nullptr; c = c->next_sibling()) {
    auto path = above.empty() ? std::string{c->name()} : above + " / " + c->name();
    if (c->first_child() != nullptr) {
      list_tasks(c->first_child(), path, now, out);
      continue;
    }
    auto& t = out.emplace_back();
    t.path = std::move(path);
    t.strand = c->home().name();
    if (c->handler() != nullptr) t.service = c->handler()->callee().name();
    c->for_each_annotation([&t](const char* key, std::string_view value) { t.annotations.emplace_back(key, value); });
    if (c->deadline() != never) t.left = c->deadline() - now;
    if (const auto* w = c->waiting(); w != nullptr) {
      t.waits_for = w->what();
      t.waiting = now - w->since();
      t.address = w->where();
    }
  }
}

worker_snapshot describe(worker& w) {
  worker_snapshot out;
  out.index = w.index();
  out.answered = true;
  out.counters = w.counters();
  list_tasks(w.roots(), "", w.read_clock(), out.tasks);
  w.for_each_service([&out](const service& s) {
    out.services.push_back({.name = s.name(),
                            .strand = s.strand().name(),
                            .waiting = s.waiting(),
                            .running = s.running(),
                            .counters = s.counters()});
  });
  for (const auto* s = w.ready(); s != nullptr; s = s->next_ready()) {
    out.strands.push_back(
        {.name = s->name(), .messages = s->queued_messages(), .queued = s->queued(strand_snapshot::most_counted)});
  }
  return out;
}

worker_snapshot describe_from_outside(const worker& w, const clock& time) {
  worker_snapshot out;
  out.index = w.index();
  if (auto seen = w.running().look()) {
    out.running = running_snapshot{
        .strand = std::move(seen->strand), .task = std::move(seen->task), .for_about = time.now() - seen->since};
  }
  return out;
}

std::string milliseconds(duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

}  // namespace

runtime_snapshot snapshot(runtime& rt, duration patience) {
  if (worker::current() != nullptr) {
    misuse(
        "snapshot or dump of a runtime was called on a worker, which it would block: use snapshot_here or dump_here");
  }
  runtime_snapshot out;
  if (rt.workers() == 0) {
    out.workers.push_back(describe(rt.worker_at(0)));
  } else {
    out.workers.resize(static_cast<std::size_t>(rt.workers()));
    const auto until = std::chrono::steady_clock::now() + patience;
    auto ask = [](worker* w, worker_snapshot* answer) { return [w, answer] { *answer = describe(*w); }; };
    std::deque<errand<decltype(ask(nullptr, nullptr))>> errands;
    for (int i = 0; i < rt.workers(); ++i) {
      auto& w = rt.worker_at(i);
      errands.emplace_back(w, ask(&w, &out.workers[static_cast<std::size_t>(i)]));
    }
    for (int i = 0; i < rt.workers(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!errands[at].done_by(until)) out.workers[at] = describe_from_outside(rt.worker_at(i), rt.time());
    }
  }
  places where;
  for (auto& w : out.workers) where.find_for(w);
  return out;
}

worker_snapshot snapshot_here() {
  auto* w = worker::current();
  if (w == nullptr) misuse("snapshot_here or dump_here was called on a thread that is no worker: use dump(runtime&)");
  auto out = describe(*w);
  places{}.find_for(out);
  return out;
}

std::string to_string(const worker_snapshot& w) {
  std::string out;
  if (w.running) {
    out += "worker " + std::to_string(w.index) + ": did not answer, runs " +
           (w.running->task.empty() ? "an entry" : w.running->task) + " on " + w.running->strand + " for " +
           milliseconds(w.running->for_about) + "; its tasks are not listed\n";
  }
  for (const auto& t : w.tasks) {
    out += t.path + ": ";
    if (t.waits_for.empty()) {
      out += "running or about to run, on " + t.strand;
    } else {
      out += t.waits_for + " for " + milliseconds(t.waiting) + ", on " + t.strand + ", at " + t.where;
    }
    if (t.left) out += ", " + milliseconds(*t.left) + " left";
    for (const auto& [key, value] : t.annotations) out.append(", ").append(key).append("=").append(value);
    out += "\n";
  }
  for (const auto& s : w.services) {
    if (s.running == 0 && s.waiting == 0) continue;
    out += "service " + s.name + ": " + std::to_string(s.running) + " running, " + std::to_string(s.waiting) +
           " waiting, " + std::to_string(s.counters.started) + " started, " + std::to_string(s.counters.refused) +
           " refused, " + std::to_string(s.counters.expired) + " expired\n";
  }
  for (const auto& s : w.strands) out += "strand " + s.name + ": " + std::to_string(s.queued) + " queued\n";
  return out;
}

std::string to_string(const runtime_snapshot& s) {
  std::string out;
  for (const auto& w : s.workers) out += to_string(w);
  return out;
}

}  // namespace weft
