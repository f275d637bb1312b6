#pragma once
#include <string>
#include <string_view>
#include <vector>
#include <weft/bench/rpc/measure.hpp>

namespace weft::bench {

/// What a run must show of a peer before it says anything of weft: on a machine that is busy, or that lets one side
/// starve, the peer itself stays below it, and then the run is void, whoever came out well.
struct yardstick {
  std::string_view row;     ///< The peer that is measured ...
  std::string_view of;      ///< ... in this one's calls per second,
  int concurrency = 0;      ///< with so many calls out,
  double at_least = 0;      ///< and must reach so much. 0: no yardstick.
  std::size_t payload = 0;  ///< It holds for this payload only.
};

/// Why the run is void; empty when it is not, or when one of the two did not take part. A void row voids the run.
std::string why_void(const yardstick& y, const std::vector<row>& rows);

}  // namespace weft::bench
