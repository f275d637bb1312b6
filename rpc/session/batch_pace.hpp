#pragma once
#include <cstddef>
#include <cstdint>
#include <weft/runtime/clock.hpp>

namespace weft::detail {

/// When one end of a session writes what it has to say. Writing early lets the other side begin; a batch costs gRPC as much as
/// some dozens of small calls, so writing late saves time on both sides. Of one stream; it knows neither it nor the calls.
///
/// - What is said while no batch is read is written when what runs on the worker now has had its turn.
/// - What is said while a batch is being taken apart waits for its end, unless it is much already or has waited for long.
/// - When most of the calls that are out are answered in one batch, the two sides would work in turn: what the first half of
///   the replies sets off is written alone, so that from then on two batches are on the way, and each side has one to work on.
///   Of many calls, which pay for more batches, four: who is done with one then finds the next one there.
/// - A small batch waits for the events that are there already: their answers may join it.
class batch_pace {
 public:
  /// Calls and replies of a batch that are read at a time: few enough to stay in the nearest cache.
  static constexpr std::size_t portion = 8;

  /// A batch has come; so many calls of this side are out.
  void begins(std::size_t out) noexcept {
    out_ = out;
    reading_ = true;
    in_portions_ = half_read_ = false;
    portions_to_half_ = 0;
  }
  /// One portion was read; the batch has so many replies, and so many bytes are left of it.
  void read(std::size_t replies, std::size_t left) noexcept {
    left_ = left;
    if (!in_portions_) {
      in_portions_ = true;
      if (replies >= least_halved && replies > most_of(out_)) portions_to_half_ = replies / 2 / portion;
    }
    if (portions_to_half_ != 0) half_read_ = --portions_to_half_ == 0;
  }
  void ended() noexcept { reading_ = false; }

  enum class when : std::uint8_t {
    later,         ///< At the end of the batch that is being read.
    now,           ///< When what runs now has had its turn.
    after_events,  ///< When the events that are there have had theirs too.
  };
  /// So many bytes wait to be written.
  when to_write(std::size_t waiting, time_point now) noexcept {
    if (wanted_since_ == never) wanted_since_ = now;
    if (!reading_) return in_portions_ && waiting < small_batch ? when::after_events : when::now;
    const bool much = waiting >= much_waiting && left_ >= much_waiting;
    return half_read_ || much || now - wanted_since_ >= long_wait ? when::now : when::later;
  }
  void written() noexcept {
    wanted_since_ = never;
    half_read_ = false;
    if (!reading_) in_portions_ = false;
  }

 private:
  // What one batch may answer of the calls that are out, and not be halved.
  static constexpr std::size_t most_of(std::size_t out) noexcept { return out < many_out ? 3 * out / 5 : 3 * out / 10; }

  static constexpr std::size_t many_out = 256;
  static constexpr std::size_t least_halved = 48;          // replies
  static constexpr std::size_t small_batch = 512;          // bytes
  static constexpr std::size_t much_waiting = 16U << 10U;  // with as much to be read
  static constexpr duration long_wait = std::chrono::microseconds{500};

  std::size_t out_ = 0;
  std::size_t left_ = 0;
  std::size_t portions_to_half_ = 0;
  bool half_read_ = false;  // and what waits is not written yet
  bool reading_ = false;
  bool in_portions_ = false;  // the batch that is read, or was read last, was longer than one
  time_point wanted_since_ = never;
};

}  // namespace weft::detail
