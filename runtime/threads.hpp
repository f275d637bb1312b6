#pragma once
#include <functional>
#include <thread>

namespace weft {

/// What a program does on each thread that weft starts, before anything else runs there: name it for its profiler, pin it,
/// set its priority. It gets the thread's name ("weft-worker") and must not throw. Several threads may start at a time.
/// (gRPC's own threads are not weft's: they start without it and run nothing of the program's.)
using thread_hook = std::function<void(const char* name)>;

/// Starts a thread with this name (at most 15 characters; a literal) that calls `hook`, if there is one, and then `f`.
std::thread start_thread(const thread_hook& hook, const char* name, std::function<void()> f);

}  // namespace weft
