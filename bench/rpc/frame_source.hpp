#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>
#include <weft/bench/rpc/measure.hpp>

// Players, as a gate sees them: frames over TCP, in open loop. Knows no gRPC.

namespace weft::bench {

/// What a frame says, both ways: a gate's reply is its player's message again. In the machine's own byte order.
struct frame_message {
  std::int64_t due;      ///< When it was to be sent: steady clock, nanoseconds.
  std::uint32_t player;  ///< The number of its connection.
  std::uint32_t kind;    ///< Below `frame_source::kinds`.
  std::uint64_t serial;  ///< Of all frames of this player, from 0.
  std::uint64_t unused;
};

/// `bytes` as a message. Throws std::runtime_error when their number is another.
frame_message frame_message_from(const std::string& bytes);

/// One thread sends frames when they are due, whatever became of those before them, and looks for replies whenever none
/// is due. A latency counts from the time at which its frame was due: who answers late answers all that was due
/// meanwhile late.
class frame_source {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::size_t kinds = 2;

  /// Frames that are due together, of one kind and one player.
  struct burst {
    std::uint64_t player = 0;  ///< Modulo their number.
    std::uint32_t kind = 0;
    int frames = 1;
  };
  struct plan {
    int per_second = 1;  ///< Bursts, all players together.
    double seconds = 1;  ///< Measured, after `warm_up` at the same rate.
    clock::duration warm_up = std::chrono::milliseconds{300};
    burst (*next)(std::uint64_t number) = [](std::uint64_t n) { return burst{.player = n}; };  ///< They take turns.
  };
  struct outcome {
    std::array<latency_histogram, kinds> latency;  ///< Of frames that were due in the measured time, by kind.
    double due_per_second = 0;
    double answered_per_second = 0;  ///< Of these, before the measured time was over.
  };

  /// Connects so many players. Throws std::system_error.
  frame_source(int port, int players);
  ~frame_source();
  frame_source(const frame_source&) = delete;
  frame_source& operator=(const frame_source&) = delete;

  /// Throws std::runtime_error when a connection ends, a reply is none, or some are missing 30 s after the last frame.
  outcome run(const plan& p);

 private:
  struct connection {
    int fd;
    std::uint64_t serial = 0;
    std::vector<char> in{}, out{};
  };

  void send_frame(std::size_t player, std::uint32_t kind, clock::time_point due);
  static void flush(connection& to);
  void receive(clock::duration patience);
  void read_replies(connection& from);

  int poll_ = -1;
  std::vector<connection> connections_;
  clock::time_point count_from_, end_;
  outcome outcome_;
  std::uint64_t received_ = 0;
  std::uint64_t in_time_ = 0;
};

}  // namespace weft::bench
