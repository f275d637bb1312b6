#include <weft/runtime/audience.hpp>

#include <weft/runtime/misuse.hpp>

namespace weft {
namespace {

[[noreturn]] void changed_while_sending() noexcept {
  misuse("an audience was used while it sends: a receiver's send puts the event away and does no more");
}

// Also when a receiver throws.
struct sending {
  explicit sending(bool& f) noexcept : flag{f} { flag = true; }
  ~sending() { flag = false; }
  sending(const sending&) = delete;
  bool& flag;
};

}  // namespace

void membership::leave() noexcept {
  if (const auto m = std::move(member_); m && m->in != nullptr) m->in->remove(*m);
}

audience::~audience() {
  if (sending_) changed_while_sending();
  for (auto* m : members_) m->in = nullptr;
}

membership audience::add(void* receiver, status (*send)(void*, const shared_bytes&)) {
  if (sending_) changed_while_sending();
  auto m = std::make_unique<member>(member{this, members_.size(), receiver, send});
  members_.push_back(m.get());
  return membership{std::move(m)};
}

void audience::remove(const member& m) noexcept {
  if (sending_) changed_while_sending();
  auto* last = members_.back();
  last->place = m.place;
  members_[m.place] = last;
  members_.pop_back();
}

std::size_t audience::send(shared_bytes event, const membership* except) {
  if (sending_) changed_while_sending();
  const sending guard{sending_};
  std::size_t taken = 0;
  std::size_t missed = 0;
  for (auto* m : members_) {
    if (except != nullptr && m == except->member_.get()) continue;
    if (m->send(m->receiver, event).ok()) {
      ++taken;
    } else {
      ++missed;
      ++m->missed;
    }
  }
  ++counters_.events;
  counters_.taken += taken;
  counters_.missed += missed;
  return taken;
}

}  // namespace weft
