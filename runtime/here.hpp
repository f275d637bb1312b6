#pragma once

namespace weft {

class frame_pool;
class strand;
class worker;

/// What runs on the calling thread. Null members on threads that are no worker's.
struct here_state {
  weft::worker* worker = nullptr;
  weft::strand* strand = nullptr;  ///< Null between two entries.
  frame_pool* frames = nullptr;
};

/// The library's only thread_local; set by the worker's loop. Never read in a coroutine's body, which may go on elsewhere.
inline constinit thread_local here_state on_this_thread;

}  // namespace weft
