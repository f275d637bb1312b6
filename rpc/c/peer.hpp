#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>
#include <weft/rpc/c/service.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/session.hpp>

namespace weft::c {

class remote_peer final : public target, public closable {
 public:
  remote_peer(std::shared_ptr<host> owner, const std::string& address, const peer_options& options)
      : target{kind::peer, owner}, peer_{owner->rt(), address, options} {}

  weft::peer& peer() noexcept { return peer_; }

  result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) override;
  result<raw_stream> open(const named_method& m, call_options options) override;
  status close() override { return {}; }  // what is under way keeps it

 private:
  weft::peer peer_;
};

class open_session final : public target, public closable {
 public:
  open_session(std::shared_ptr<remote_peer> to, std::vector<std::shared_ptr<local_service>> offers,
               session_options options);

  session_state state() const;
  void resume(std::uint64_t key);

  result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) override;
  result<raw_stream> open(const named_method& m, call_options options) override;
  status close() override;

 private:
  const std::shared_ptr<remote_peer> peer_;
  std::vector<std::shared_ptr<local_service>> offers_;
  mutable std::mutex asking_;  // of its state, while it is closed
  std::optional<session> session_;
  bool closed_ = false;  // the worker's
};

/// A stream to a peer, of a method by name.
raw_stream open_raw(weft::peer& to, const method_info& method, call_options options);

}  // namespace weft::c
