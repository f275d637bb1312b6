#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/peer.hpp>

namespace weft {

/// Several processes that share the keys of a service: `Rooms::client rooms{*servers.at(room_id)}`. Whoever has the same list
/// of addresses, in whatever order, finds the same process for a key; when one comes or goes, only the keys that it gets or
/// had move (rendezvous hashing, Thaler and Ravishankar 1998). The hash is the same on every machine and in every version.
///
/// Any thread.
class peer_set {
 public:
  peer_set(rpc_runtime& rt, std::vector<std::string> addresses, peer_options options = {});

  /// The peer to which the key belongs; null when there are no addresses. It lives as long as it is held: hold it while
  /// calls are made.
  std::shared_ptr<peer> at(std::string_view key) const;
  std::shared_ptr<peer> at(std::uint64_t key) const;

  /// From now on. Peers of addresses that stay stay connected; calls under way to those that go end as they would.
  void set_addresses(std::vector<std::string> addresses);
  std::vector<std::string> addresses() const;

 private:
  struct member {
    std::uint64_t hash;
    std::shared_ptr<peer> to;
  };
  std::shared_ptr<peer> of_hash(std::uint64_t key) const;

  rpc_runtime& runtime_;
  const peer_options options_;
  mutable std::mutex mutex_;
  std::vector<member> members_;
};

}  // namespace weft
