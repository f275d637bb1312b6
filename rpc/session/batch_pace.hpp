#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <weft/runtime/clock.hpp>

namespace weft::detail {

/// When one end of a session writes what it has to say. Writing early lets the other side begin; a batch costs gRPC as much as
/// some dozens of small calls, so writing late saves time on both sides. Of one stream; it knows neither it nor the calls.
///
/// - What is said while no batch is read is written when what runs on the worker now has had its turn.
/// - What is said while a batch is being taken apart waits for its end, unless it is much already or has waited for long.
/// - If most of the calls that are out were answered in one batch, the two sides would work in turn. So what the replies of a
///   batch set off is written in shares of the calls that are out: a batch that is larger than a share is divided, and one that
///   is less than half of one waits for the events that are there already, whose answers may join it. Two shares keep both
///   sides at work. Of many calls, which pay for more batches, there are three: who is done with one finds the next one there.
/// - A small batch waits for the events that are there, too.
class batch_pace {
 public:
  /// Calls and replies of a batch that are read at a time: few enough to stay in the nearest cache.
  static constexpr std::size_t portion = 8;

  /// A batch has come; so many calls of this side are out, and so many bytes wait to be written.
  void begins(std::size_t out, std::size_t waiting) noexcept {
    if (waiting == 0) unwritten_ = 0;  // what was answered has set off nothing
    share_ = out < least_shared ? 0 : out / (out < many_out ? 2 : 3);
    reading_ = true;
    in_portions_ = share_full_ = false;
  }
  /// One portion was read. The batch has so many replies; of them, and of its bytes, so many are left.
  void read(std::size_t replies, std::size_t replies_left, std::size_t left) noexcept {
    if (!std::exchange(in_portions_, true)) replies_left_ = replies;
    unwritten_ += replies_left_ - replies_left;
    replies_left_ = replies_left;
    left_ = left;
    share_full_ = share_ != 0 && unwritten_ >= share_ && replies_left_ >= share_ / 2;
  }
  void ended() noexcept {
    reading_ = false;
    unwritten_ += std::exchange(replies_left_, 0);
  }

  enum class when : std::uint8_t {
    later,         ///< At the end of the batch that is being read.
    now,           ///< When what runs now has had its turn.
    after_events,  ///< When the events that are there have had theirs too.
  };
  /// So many bytes wait to be written.
  when to_write(std::size_t waiting, time_point now) noexcept {
    if (wanted_since_ == never) wanted_since_ = now;
    const bool overdue = now - wanted_since_ >= long_wait;
    if (!reading_) {
      const bool little = waiting < small_batch || (unwritten_ != 0 && unwritten_ < share_ / 2);
      return in_portions_ && little && !overdue ? when::after_events : when::now;
    }
    const bool much = waiting >= much_waiting && left_ >= much_waiting;
    return share_full_ || much || overdue ? when::now : when::later;
  }
  void written() noexcept {
    wanted_since_ = never;
    share_full_ = false;
    unwritten_ = 0;
    if (!reading_) in_portions_ = false;
  }

 private:
  static constexpr std::size_t least_shared = 48;  // calls that are out
  static constexpr std::size_t many_out = 256;
  static constexpr std::size_t small_batch = 512;          // bytes
  static constexpr std::size_t much_waiting = 16U << 10U;  // with as much to be read
  static constexpr duration long_wait = std::chrono::microseconds{500};

  std::size_t share_ = 0;      // replies whose calls are written together; 0: those of a batch
  std::size_t unwritten_ = 0;  // replies of which what they set off is not written yet
  std::size_t replies_left_ = 0;
  std::size_t left_ = 0;
  bool share_full_ = false;
  bool reading_ = false;
  bool in_portions_ = false;  // the batch that is read, or was read last, was longer than one
  time_point wanted_since_ = never;
};

}  // namespace weft::detail
