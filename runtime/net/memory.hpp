#pragma once
#include <cstddef>
#include <memory>
#include <utility>
#include <weft/runtime/net/link.hpp>

namespace weft {

/// Two links in this process that are each other's peer: what one sends the other receives, under the same bounds and
/// policies as over TCP. Needs no `io`; works between strands of one worker or of two, and in a pumped runtime with a manual
/// clock. Any thread.
///
/// `chunk` > 0 puts the messages through the framing code, in slices of so many bytes (1: a byte at a time); 0 hands
/// them over as they are. To close one end is to close both: the other receives what was sent and can send no more.
std::pair<std::unique_ptr<link>, std::unique_ptr<link>> memory_links(strand& a, strand& b, link_options options = {},
                                                                     std::size_t chunk = 0);
/// The same with options of their own.
std::pair<std::unique_ptr<link>, std::unique_ptr<link>> memory_links(strand& a, strand& b, link_options options_a,
                                                                     link_options options_b, std::size_t chunk = 0);

}  // namespace weft
