#include <weft/rpc/peer_set.hpp>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

// FNV-1a (Fowler, Noll, Vo), 64 bits.
std::uint64_t hash_of(std::string_view text) noexcept {
  constexpr std::uint64_t basis = 0xcbf29ce484222325, prime = 0x100000001b3;
  std::uint64_t h = basis;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * prime;
  return h;
}

// splitmix64's finaliser (Steele, Lea, Flood 2014): every bit depends on every other.
std::uint64_t mixed(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111eb;
  return x ^ (x >> 31U);
}

}  // namespace

peer_set::peer_set(rpc_runtime& rt, std::vector<std::string> addresses, peer_options options)
    : runtime_{rt}, options_{std::move(options)} {
  set_addresses(std::move(addresses));
}

std::shared_ptr<peer> peer_set::at(std::string_view key) const { return of_hash(mixed(hash_of(key))); }
std::shared_ptr<peer> peer_set::at(std::uint64_t key) const { return of_hash(mixed(key)); }

std::shared_ptr<peer> peer_set::of_hash(std::uint64_t key) const {
  const std::lock_guard lock{mutex_};
  const auto score = [key](const member& m) { return mixed(m.hash ^ key); };
  const auto best = std::ranges::max_element(members_, {}, score);
  return best != members_.end() ? best->to : nullptr;
}

void peer_set::set_addresses(std::vector<std::string> addresses) {
  std::ranges::sort(addresses);
  addresses.erase(std::ranges::unique(addresses).begin(), addresses.end());
  std::vector<member> gone;  // destroyed without the lock
  const std::lock_guard lock{mutex_};
  std::vector<member> next;
  for (const auto& address : addresses) {
    const auto known = std::ranges::find(members_, address, [](const member& m) { return m.to->address(); });
    next.push_back(known != members_.end()
                       ? *known
                       : member{mixed(hash_of(address)), std::make_shared<peer>(runtime_, address, options_)});
  }
  gone = std::exchange(members_, std::move(next));
}

std::vector<std::string> peer_set::addresses() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> all;
  for (const auto& m : members_) all.push_back(m.to->address());
  return all;
}

}  // namespace weft
