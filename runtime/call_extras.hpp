#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <weft/runtime/metadata.hpp>

namespace weft {

enum class compression : std::uint8_t { none, deflate, gzip };

/// What a call carries beside its request and its reply. Most carry nothing, and have none of these.
struct call_extras {
  // The caller's.
  metadata sent;
  bool wait_for_ready = false;
  compression compress_request = compression::none;
  metadata* headers_into = nullptr;
  metadata* trailers_into = nullptr;
  bool* came_compressed_into = nullptr;
  bool* may_have_run_into = nullptr;
  // The handler's, while the call is away.
  metadata headers;
  metadata trailers;
  compression compress_reply = compression::none;
  bool reply_came_compressed = false;
};

/// Where a call came from when it came from outside of the process. It outlives the call.
class call_origin {
 public:
  /// On the service's strand.
  virtual const metadata& received() = 0;
  virtual std::string peer() const = 0;
  virtual const std::string& identity() const = 0;
  virtual bool request_came_compressed() noexcept = 0;
  /// What leads back to the caller, if it can be called, for the layer that made this origin.
  virtual std::shared_ptr<void> way_back() { return nullptr; }
  /// The call is gone for good, its handler too. On the worker that made it.
  virtual void call_gone() noexcept = 0;

 protected:
  ~call_origin() = default;
};

}  // namespace weft
