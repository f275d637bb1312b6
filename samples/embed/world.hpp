#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <weft/runtime/result.hpp>

#include "lobby/child_process.hpp"
#include "lobby/flags.hpp"
#include "world.weft.hpp"

namespace embed {

/// The other side of these samples, in a process of its own: this program, started again with "--serve".
class world_server {
 public:
  /// Before this process has other threads. `address` is empty when it did not start; then `trouble` says why.
  world_server();
  ~world_server() { children_.stop(std::chrono::seconds{5}); }
  world_server(const world_server&) = delete;
  world_server& operator=(const world_server&) = delete;

  const std::string& address() const { return address_; }
  std::string trouble() const { return child_->report(); }

 private:
  lobby::child_processes children_;
  lobby::child_process* child_;
  std::string address_;
};

/// What "--serve" does: serves until it is told to end. The exit code.
int serve_world();

/// Moves its entity over and over, each time when it was answered, until it is stopped or has moved `times`. Counts answers.
/// The world thinks for half as long to half as long again as `think`.
weft::task<> wander(v1::World::client world, std::uint32_t entity, std::chrono::microseconds think, std::uint64_t times,
                    std::uint64_t* answered);

/// What every program of this folder does with its command line: serves, helps, or complains, with the exit code; or goes
/// on with the flags.
struct command_line {
  lobby::flags given;
  int code = -1;  ///< Not negative: exit with it.

  /// The number that was given for `name`; a number out of range sets `code`.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most);
};
command_line read_command_line(int argc, char** argv, std::string_view usage, std::span<const lobby::flag> known);

}  // namespace embed
