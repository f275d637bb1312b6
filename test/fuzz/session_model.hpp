#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lax.pb.h"

namespace fuzz {

/// One end of a session as session.proto has it, told again in the plainest way: protobuf's parser and std::map. What weft's
/// reader and rules decide is compared with it.
class session_model {
 public:
  /// The window: what of the other end's calls is taken at once.
  session_model(std::size_t calls, std::size_t bytes) : window_calls_{calls}, window_bytes_{bytes} {}

  enum class verdict { accepted, malformed, wrong_version, broken, beyond_window };

  /// The batch's parts in their order, up to the first that breaks a rule.
  verdict take(const std::string& bytes);

  // What this end does.

  void answer(std::uint64_t id) { running.erase(id); }
  bool may_call(std::size_t bytes) const { return out.empty() ? said_calls_ != 0 : has_room(bytes); }
  void call(std::size_t bytes) { out[++last_called] = bytes; }

  /// What was told, in order, of the batch that was accepted last.
  lax::v1::Batch told;

  std::map<std::uint64_t, std::size_t> running;  ///< The other end's calls, and their bytes.
  std::map<std::uint64_t, std::size_t> out;      ///< This end's.
  std::uint64_t last_id = 0;
  std::uint64_t last_called = 0;

 private:
  static std::size_t sum(const std::map<std::uint64_t, std::size_t>& calls) {
    std::size_t bytes = 0;
    for (const auto& [id, b] : calls) bytes += b;
    return bytes;
  }
  bool has_room(std::size_t bytes) const { return out.size() < said_calls_ && sum(out) + bytes <= said_bytes_; }
  verdict take(const lax::v1::Call& c);
  std::size_t calls_out() const { return running.size() + refused_.size(); }
  std::size_t bytes_out() const { return sum(running) + sum(refused_); }

  const std::size_t window_calls_;
  const std::size_t window_bytes_;
  bool attached_ = false;
  std::map<std::uint64_t, std::string> methods_;
  std::map<std::uint64_t, std::size_t> refused_;  // of this batch: their answers leave behind it
  std::uint64_t said_calls_ = 64;
  std::uint64_t said_bytes_ = 65'536;
};

/// The methods that the session has: each other path is UNIMPLEMENTED, and its call is answered with the batch.
inline bool serves(std::string_view path) { return path == "/a/b"; }

}  // namespace fuzz
