#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <weft/bench/rpc/measure.hpp>
#include <weft/runtime/call_options.hpp>
#include <weft/runtime/service.hpp>

#include "table.weft.hpp"

// A service whose handlers take their time, which counts what became of the calls. peers/go/table.go is the same in Go.

namespace weft::bench {

struct table_setup {
  duration play{0};        ///< What a handler of Play and Look takes ...
  bool at_random = false;  ///< ... or, at random, up to that.
  duration say{0};         ///< What one of Say takes.
  weft::reentrancy reentrancy = weft::reentrancy::interleaved;
  std::uint32_t running = 65'536;
  std::uint8_t* executions = nullptr;  ///< Counted by `serial`, when a handler begins; shared with other processes.
  int port = 0;                        ///< 0: a free one.
};

/// One strand, so what it counts needs no lock.
class table final : public ::bench::v1::Table::service {
 public:
  table(runtime& rt, const table_setup& setup);

  weft::reply<::bench::v1::Moved> Play(::bench::v1::Move& move) override;
  weft::reply<::bench::v1::Moved> Look(::bench::v1::Move& move) override;
  weft::reply<::bench::v1::Moved> Say(::bench::v1::Move& move) override;
  weft::reply<::bench::v1::Counts> Count(::bench::v1::CountRequest& request) override;

 private:
  weft::reply<::bench::v1::Moved> take(::bench::v1::Move& move, duration time);
  duration time_of_play();
  void took_effect(const ::bench::v1::Move& move);

  const table_setup setup_;
  std::uint64_t now_ = 0;
  std::uint64_t random_ = 7;
  std::vector<std::uint64_t> next_;  // by player
  ::bench::v1::Counts counts_;
};

/// Serves a table until the parent lets go.
void serve_table(parent_link& parent, const table_setup& setup);

/// What the table at this address counted, whoever serves it. Throws when it does not say.
::bench::v1::Counts counts_of_table(const std::string& address);

/// serve_table with `microseconds of play`, `microseconds of say` and whether at random from `parent.with`: "2000 50000
/// 1".
void serve_table_as_told(parent_link& parent);

}  // namespace weft::bench
