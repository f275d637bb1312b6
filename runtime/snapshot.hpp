#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

class runtime;

/// A task that is suspended, or queued to go on, as it was when its worker was asked.
struct task_snapshot {
  std::string path;               ///< Names from its root down to itself: "player / scope / chat lane".
  std::string waits_for;          ///< "sleep", "/lobby.v1.Chat/Say", ...; empty: it is about to go on.
  duration waiting{};             ///< For how long.
  const void* address = nullptr;  ///< At which it goes on.
  std::string where;              ///< The same for addr2line: "lobby+0x4f21".
  std::string strand;
  std::string service;           ///< Of the handler that it is part of; empty outside of handlers.
  std::optional<duration> left;  ///< Until its deadline, if it has one.
  std::vector<std::pair<std::string, std::string>> annotations;  ///< See `weft::annotate`.
};

/// A service of one worker.
struct service_snapshot {
  std::string name;
  std::string strand;
  std::size_t waiting = 0;  ///< Calls in its mailbox.
  std::size_t running = 0;  ///< Handlers in progress, suspended ones too.
  service_counters counters;
};

/// A strand that has something queued.
struct strand_snapshot {
  static constexpr std::size_t most_counted = 65'536;

  std::string name;
  std::uint32_t messages = 0;  ///< New work: what its limit is about.
  std::size_t queued = 0;      ///< Everything, up to `most_counted`.
};

/// What a worker that did not answer in time was running.
struct running_snapshot {
  std::string strand;
  std::string task;      ///< Of a handler: its method. Empty when it is no task's.
  duration for_about{};  ///< Since the worker last looked at its clock: up to 15 shorter entries may be in it.
};

struct worker_snapshot {
  int index = 0;
  bool answered = false;                    ///< False: it was busy, or is gone; then only `running` is known.
  std::optional<running_snapshot> running;  ///< Only where it did not answer.
  std::vector<task_snapshot> tasks;
  std::vector<service_snapshot> services;
  std::vector<strand_snapshot> strands;  ///< Those that have something queued, in the order of their turns.
  worker_counters counters;
};

struct runtime_snapshot {
  std::vector<worker_snapshot> workers;
};

/// How long `snapshot` and `dump` wait for all the workers together.
inline constexpr duration snapshot_patience = std::chrono::milliseconds{100};

/// Everything that is suspended, and what keeps it: tasks, services and queues of every worker.
///
/// From a thread that is no worker; a pumped runtime's, from the thread that pumps. Asks each worker between two rounds. One
/// that stays in a handler for longer than `patience` is not waited for: what it runs and for how long is told instead.
/// A worker is held up for about 1 us for each of its tasks, 10,000 of them for 10 ms.
runtime_snapshot snapshot(runtime& rt, duration patience = snapshot_patience);

/// The same of the calling worker. On a worker.
worker_snapshot snapshot_here();

/// As text, a line each: see `dump`.
std::string to_string(const worker_snapshot& w);
std::string to_string(const runtime_snapshot& s);

}  // namespace weft
