#pragma once
#include <weft/runtime/clock.hpp>

namespace weft {

class health;
class server;
class signals;

/// Ends a server in the order that a deploy wants, and blocks until it has ended:
///
///     weft::signals asked{io, {SIGINT, SIGTERM}};
///     weft::sync_wait(rt, asked.next());
///     weft::drain(server, health, asked, 10s);
///
/// 1. `h` says that nothing is served. Who watches is told before anything is refused, unless that takes a watcher longer than
///    `most_to_tell_watchers`.
/// 2. `s` accepts nothing new (UNAVAILABLE at the client), lets what runs finish for `grace`, and cancels the rest: see
///    `server::stop`.
/// 3. One more signal from `asked` at any time: the rest is cancelled at once.
///
/// For main(), as `server::stop`; the services are stopped after it. `h` has to be one of them, and not stopped.
void drain(server& s, health& h, signals& asked, duration grace);

inline constexpr duration most_to_tell_watchers = std::chrono::milliseconds{200};

}  // namespace weft
