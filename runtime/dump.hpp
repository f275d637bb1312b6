#pragma once
#include <cstddef>
#include <string>

namespace weft {

class runtime;
class worker;

/// Every suspended task of the calling worker, a line each: where it hangs in the tree, what it waits for, since when, and
/// the address in the program at which it does (for addr2line). On a worker.
///
///     player / scope / chat lane: /lobby.v1.Chat/Say for 134 ms, on lobby.v1.Gate, at lobby+0x4f21
std::string dump_here();

/// The same of all workers. Visits each between two entries of its strands; from a thread that is no worker.
std::string dump(runtime& rt);

/// Tasks that have not ended: roots and everything below, on the calling worker.
std::size_t live_tasks_here();

}  // namespace weft
