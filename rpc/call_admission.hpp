#pragma once
#include <cstddef>
#include <string>
#include <unordered_map>
#include <weft/rpc/server.hpp>
#include <weft/rpc/server_origin.hpp>

namespace weft::detail {

/// Whether a call from the network is let in, before its request is decoded: the server's limits, who calls, whether they
/// may. On the polling worker.
class call_admission {
 public:
  call_admission(const server_options& options, server_counters& counters) noexcept
      : options_{options},
        counters_{counters},
        by_certificate_{options.tls && !options.tls->client_authorities.empty()},
        asks_who_{by_certificate_ || options.authenticate || !options.policy.empty()} {}

  /// Errors: RESOURCE_EXHAUSTED, UNAUTHENTICATED, PERMISSION_DENIED, or what the authenticator says.
  status enter(server_origin& call, const char* method);
  /// The same for a session: no policy applies to itself.
  status enter_session(server_origin& stream, const char* method);
  /// And for each of its calls, whose metadata the session has measured.
  status enter_from_session(server_origin& call, const char* method) {
    if (auto s = count(call); !s.ok()) return s;
    return asks_who_ ? find_out_whether_it_may(call, method) : status{};
  }
  /// Once for every `enter`, whatever it said, when nothing of the call is left.
  void leave(server_origin& call) noexcept;

  std::size_t running() const noexcept { return running_; }

 private:
  status count(server_origin& call) {
    return ++running_ <= options_.running && options_.running_per_peer == 0 ? status{} : look_closer(call);
  }
  status look_closer(server_origin& call);
  status measure_metadata(const server_origin& call, const char* method);
  status check_policy(const server_origin& call, const char* method);
  status find_out_who(server_origin& call, const char* method);
  status find_out_whether_it_may(server_origin& call, const char* method);

  const server_options& options_;
  server_counters& counters_;
  const bool by_certificate_;  // clients have to show one
  const bool asks_who_;        // otherwise everybody may do everything
  std::size_t running_ = 0;
  std::unordered_map<std::string, std::size_t> of_peer_;  // where that is limited
};

}  // namespace weft::detail
