#include <weft/rpc/access.hpp>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

// Takes as long for a wrong guess as for a right one.
bool same_secret(std::string_view a, std::string_view b) noexcept {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(i < b.size() ? b[i] : 0);
  }
  return difference == 0;
}

}  // namespace

authenticator bearer_tokens(std::vector<std::pair<std::string, std::string>> token_and_identity) {
  return [table = std::move(token_and_identity)](const caller& c) -> result<std::string> {
    constexpr std::string_view scheme = "Bearer ";
    const auto* header = c.metadata.find("authorization");
    if (header == nullptr) return status{code::unauthenticated, "the call has no 'authorization'"};
    if (!header->starts_with(scheme)) return status{code::unauthenticated, "'authorization' is no bearer token"};
    const auto token = std::string_view{*header}.substr(scheme.size());
    const std::string* found = nullptr;
    for (const auto& [known, identity] : table) {
      if (same_secret(token, known)) found = &identity;
    }
    if (found == nullptr) return status{code::unauthenticated, "the token is not known"};
    return *found;
  };
}

bool access_policy::rule::covers(std::string_view method) const noexcept {
  if (methods == "*" || methods == method) return true;
  return methods.ends_with("/*") && method.starts_with(std::string_view{methods}.substr(0, methods.size() - 1));
}

access_policy& access_policy::allow(std::string methods, std::vector<std::string> identities) {
  rules_.push_back({std::move(methods), std::move(identities), false});
  return *this;
}

access_policy& access_policy::allow_all(std::string methods) {
  rules_.push_back({std::move(methods), {}, true});
  return *this;
}

status access_policy::check(std::string_view method, const std::string& identity) const {
  for (const auto& r : rules_) {
    if (!r.covers(method)) continue;
    if (r.everybody) return {};
    if (identity.empty()) continue;
    if (r.identities.empty() || std::ranges::find(r.identities, identity) != r.identities.end()) return {};
  }
  if (identity.empty()) return {code::unauthenticated, std::string{method} + " is for known callers only"};
  return permission_denied("'" + identity + "' may not call " + std::string{method});
}

status access_policy::check_spelling(const std::vector<std::string_view>& served) const {
  for (const auto& r : rules_) {
    if (std::ranges::any_of(served, [&r](auto m) { return r.covers(m); })) continue;
    return invalid_argument("access policy: '" + r.methods +
                            "' is no method of this server, nor a service's \"/name/*\"");
  }
  return {};
}

}  // namespace weft
