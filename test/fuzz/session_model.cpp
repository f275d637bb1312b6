#include "session_model.hpp"

#include "../support/session_parts.hpp"

namespace fuzz {

session_model::verdict session_model::take(const lax::v1::Call& c) {
  if (!attached_ || c.id() <= last_id) return verdict::broken;
  if (calls_out() + 1 > window_calls_) return verdict::beyond_window;
  if (calls_out() != 0 && bytes_out() + c.request().size() > window_bytes_) return verdict::beyond_window;
  if (c.path().empty()) {
    if (methods_.count(c.method()) == 0) return verdict::broken;
  } else {
    if (c.path().size() > 1'024) return verdict::broken;
    if (c.method() != methods_.size() || c.method() >= 4'096) return verdict::broken;
    methods_[c.method()] = c.path();
  }
  last_id = c.id();
  (serves(methods_[c.method()]) ? running : refused_)[c.id()] = c.request().size();
  return verdict::accepted;
}

session_model::verdict session_model::take(const std::string& bytes) {
  lax::v1::Batch b;
  refused_.clear();
  if (!b.ParseFromString(bytes)) return verdict::malformed;
  if (b.has_attach()) {
    if (attached_) return verdict::broken;
    if (b.attach().oldest_version() > 1 || b.attach().newest_version() < 1) return verdict::wrong_version;
    attached_ = true;
    said_calls_ = b.attach().window().calls();
    said_bytes_ = b.attach().window().bytes();
  }
  if (b.has_window()) {
    said_calls_ = b.window().calls();
    said_bytes_ = b.window().bytes();
  }
  for (const auto& c : b.calls()) {
    if (const auto v = take(c); v != verdict::accepted) return v;
  }
  for (const auto& r : b.replies()) {
    if (out.erase(r.id()) == 0) return verdict::broken;
  }
  for (const auto id : b.cancels()) running.erase(id);  // whoever is given up is answered
  if (b.has_go_away()) out.erase(out.upper_bound(b.go_away().last_id()), out.end());
  if (!attached_) return verdict::broken;
  told = test::plain(b);
  return verdict::accepted;
}

}  // namespace fuzz
