#pragma once
#include <span>

namespace weft::bench {

// The suites of weft-bench, each with the arguments behind its name. They return the exit code: 1 for a void or missed
// result, 2 for a wrong command line.

/// What does a unary call cost, beside the same by hand on gRPC's completion queue?
int run_unary(std::span<char* const> arguments);

/// What does a call over a session cost, beside unary calls and streams by hand?
int run_session(std::span<char* const> arguments);

/// Do 10,000 calls in flight from one thread keep a ticker on the same strand from its time? (R1)
int run_in_flight(std::span<char* const> arguments);

/// Which calls of a player are overtaken by later ones? (R10)
int run_order(std::span<char* const> arguments);

/// What do small calls wait beside large ones on the same session?
int run_large(std::span<char* const> arguments);

/// What does a call between two services of one process cost?
int run_local(std::span<char* const> arguments);

/// What does a suspended player cost in memory?
int run_memory(std::span<char* const> arguments);

/// What does a pool of connections bring, and what does it do to order? (R11)
int run_pool(std::span<char* const> arguments);

/// One routine or a lock? (R16)
int run_locks(std::span<char* const> arguments);

/// What does a server cost that nobody calls? (R26)
int run_idle(std::span<char* const> arguments);

/// From a player's frame to its reply frame, in open loop, beside the same in Go.
int run_path(std::span<char* const> arguments);

/// What caps the handlers that are in progress? (R14)
int run_workers(std::span<char* const> arguments);

/// What do calls of one service wait while another gets ten times the load it can take? (R14)
int run_flood(std::span<char* const> arguments);

/// What does retry machinery cost, and what does it save? (R13)
int run_retry(std::span<char* const> arguments);

/// What does a player feel whose chat is slow? (R1, R5)
int run_player(std::span<char* const> arguments);

/// What does an event cost for everybody in a room? (R28)
int run_fanout(std::span<char* const> arguments);

/// How many calls at a time are best? (R9)
int run_limit(std::span<char* const> arguments);

/// How does cost grow with players and services?
int run_scale(std::span<char* const> arguments);

}  // namespace weft::bench
