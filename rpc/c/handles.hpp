#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>
#include <weft/weft.h>

namespace weft::c {

class host;

enum class kind : std::uint8_t { runtime = 1, peer, session, call, stream, service, server, request, link };
const char* to_string(kind k) noexcept;

/// What a handle names.
class object {
 public:
  object(kind k, std::shared_ptr<host> owner) noexcept : kind_{k}, owner_{std::move(owner)} {}
  virtual ~object() = default;
  object(const object&) = delete;
  object& operator=(const object&) = delete;

  kind what() const noexcept { return kind_; }
  host& owner() const noexcept { return *owner_; }
  const std::shared_ptr<host>& shared_owner() const noexcept { return owner_; }
  /// Known once it is in the table.
  weft_handle handle() const noexcept { return handle_; }

 private:
  friend class handles;
  const kind kind_;
  const std::shared_ptr<host> owner_;
  weft_handle handle_ = 0;
};

/// All handles of the process: one table, so that one of a runtime that is gone is an error, not a crash. Numbers are never
/// used again: the low four bits tell the kind. Any thread.
class handles {
 public:
  static handles& all();

  weft_handle add(std::shared_ptr<object> o);
  /// Null when there is none.
  std::shared_ptr<object> find(weft_handle h) const;
  void remove(weft_handle h);
  /// Takes out those of a runtime, in the order in which they were made.
  std::vector<std::shared_ptr<object>> remove_all(const host& owner);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<weft_handle, std::shared_ptr<object>> objects_;
  std::uint64_t last_ = 0;
};

}  // namespace weft::c
