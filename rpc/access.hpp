#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/result.hpp>

namespace weft {

/// What a server knows about a caller before it decodes the request.
struct caller {
  std::string_view method;         ///< "/lobby.v1.Chat/Say".
  const weft::metadata& metadata;  ///< As it was sent.
  std::string peer;                ///< "ipv4:127.0.0.1:40312".
  /// Names in the client's certificate, which an authority of the server's has signed: alternative names, then the common
  /// name. Empty without mTLS.
  const std::vector<std::string>& certificate;
};

/// Who calls: an identity, or why not (UNAUTHENTICATED is usual). Runs on the polling worker for every call, before the
/// request is decoded: it must not block.
using authenticator = std::function<result<std::string>(const caller&)>;

/// Finds the caller by "authorization: Bearer <token>", in a table of tokens and identities. Errors: UNAUTHENTICATED, which
/// tells neither the token nor how much of it was right.
authenticator bearer_tokens(std::vector<std::pair<std::string, std::string>> token_and_identity);

/// Who may call what. Once a server has one, whatever it does not allow is refused: UNAUTHENTICATED to those without an
/// identity, PERMISSION_DENIED to others.
class access_policy {
 public:
  /// `methods` is "/lobby.v1.Chat/Say", "/lobby.v1.Chat/*" or "*". Without identities: every caller that has one.
  access_policy& allow(std::string methods, std::vector<std::string> identities = {});
  /// Everybody whom the authenticator lets in, those without an identity too. Whom it refuses is refused whatever is said here.
  access_policy& allow_all(std::string methods);

  bool empty() const noexcept { return rules_.empty(); }
  status check(std::string_view method, const std::string& identity) const;
  /// INVALID_ARGUMENT, naming the first rule that speaks of none of these methods: it is misspelt.
  status check_spelling(const std::vector<std::string_view>& served) const;

 private:
  struct rule {
    std::string methods;
    std::vector<std::string> identities;
    bool everybody;
    bool covers(std::string_view method) const noexcept;
  };
  std::vector<rule> rules_;
};

}  // namespace weft
