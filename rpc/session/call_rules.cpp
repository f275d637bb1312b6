#include <weft/rpc/session/call_rules.hpp>

#include <string>

namespace weft::detail {
namespace {

std::string number(std::uint64_t n) { return std::to_string(n); }

}  // namespace

status call_rules::attach(const attach_frame& a) {
  if (attached_) return invalid_argument("session: attach came twice");
  if (a.oldest_version > session_version || a.newest_version < session_version) {
    return failed_precondition("session: the other side speaks versions " + number(a.oldest_version) + " to " +
                               number(a.newest_version) + ", this one " + number(session_version));
  }
  attached_ = true;
  return {};
}

status call_rules::accept(const call_frame& c) {
  if (!attached_) return invalid_argument("session: a call came before attach");
  if (c.id <= last_id_) {
    return invalid_argument("session: call " + number(c.id) + " came after call " + number(last_id_));
  }
  if (calls_ >= window_.calls) {
    return resource_exhausted("session: call " + number(c.id) + " is beyond the window of " + number(window_.calls) +
                              " calls");
  }
  if (calls_ != 0 && bytes_ + c.request.size() > window_.bytes) {
    return resource_exhausted("session: call " + number(c.id) + " is beyond the window of " + number(window_.bytes) +
                              " bytes");
  }
  if (!c.path.empty()) {
    if (c.path.size() > most_of_path) {
      return invalid_argument("session: the path of call " + number(c.id) + " has " + number(c.path.size()) +
                              " bytes, and " + number(most_of_path) + " are taken");
    }
    if (c.method != methods_ || methods_ == most_methods) {
      return invalid_argument("session: call " + number(c.id) + " names method " + number(c.method) +
                              ", and the next is " + number(methods_));
    }
    ++methods_;
  } else if (c.method >= methods_) {
    return invalid_argument("session: call " + number(c.id) + " is of method " + number(c.method) +
                            ", which has not been named");
  }
  last_id_ = c.id;
  return {};
}

}  // namespace weft::detail
