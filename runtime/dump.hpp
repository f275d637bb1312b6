#pragma once
#include <cstddef>
#include <string>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/snapshot.hpp>

namespace weft {

class runtime;

/// `snapshot_here` as text: every suspended task of the calling worker, a line each: where it hangs in the tree, what it
/// waits for, since when, the address in the program at which it does (for addr2line), and the time left until its deadline.
/// Then services that have calls, and strands that have work queued. On a worker.
///
///     player / scope / chat lane: /lobby.v1.Chat/Say for 134 ms, on lobby.v1.Gate, at lobby+0x4f21, 4866 ms left
///     service lobby.v1.Gate: 812 running, 0 waiting, 10441 started, 0 refused, 0 expired
///     strand lobby.v1.Gate: 3 queued
std::string dump_here();

/// `snapshot` as text: the same of all workers. A worker that stays busy for longer than `patience` gets a line of its own:
///
///     worker 1: did not answer, runs /lobby.v1.Cards/Play on lobby.v1.Cards for 3211 ms; its tasks are not listed
///
/// From a thread that is no worker; a pumped runtime's, from the thread that pumps.
std::string dump(runtime& rt, duration patience = snapshot_patience);

/// Tasks that have not ended: roots and everything below, on the calling worker.
std::size_t live_tasks_here();

}  // namespace weft
