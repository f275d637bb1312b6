#include <weft/rpc/c/player_link.hpp>

#include <tuple>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace weft::c {

task<> player_link::run(std::shared_ptr<player_link> l) {
  auto& owner = l->owner();
  owner.in_flight().insert(l.get());
  co_await with_scope(&player_link::both_ways, l.get());
  owner.in_flight().erase(l.get());
  l->link_.reset();
  auto e = l->about(WEFT_EVENT_STREAM_END);
  e.ended_with(l->given_up_ ? *l->given_up_ : l->outcome_);
  e.last = true;
  owner.events().put(std::move(e));
}

task<> player_link::both_ways(player_link* l, scope& both) {
  l->both_ = &both;
  if (l->given_up_) both.stop();
  co_await l->connect();
  if (l->outcome_.ok()) {
    l->owner().events().put(l->about(WEFT_EVENT_LINK_OPEN));
    std::ignore = both.start(l->send(), "link sends");
    auto told = co_await l->receive();
    if (!told.ok()) {
      l->outcome_ = std::move(told);
    } else if (!l->closed_here_) {
      l->outcome_ = l->link_->end();
    }
  }
  both.stop();
  l->both_ = nullptr;
}

task<> player_link::connect() {
  auto connecting = tcp_connect(owner().sockets(), owner().rt().control(), address_);
  auto connected = co_await with_timeout(patience_, std::move(connecting));
  if (connected.ok()) {
    link_ = std::move(*connected);
  } else {
    outcome_ = connected.status();
  }
}

// Waits where the connection is slow: what is queued is bounded by `write_ahead`.
task<status> player_link::put(raw_message m) {
  auto sent = link_->send(std::move(m.bytes));
  co_return sent;
}

task<std::optional<raw_message>> player_link::get() {
  auto message = co_await link_->receive();
  if (!message) co_return std::nullopt;
  co_return raw_message{std::move(*message)};
}

// What was sent is flushed; `receive` ends.
void player_link::no_more_writes() {
  if (!link_ || (both_ != nullptr && both_->stopped())) return;
  closed_here_ = true;
  link_->close();
}

void player_link::give_up(status why) noexcept {
  if (!given_up_) given_up_ = std::move(why);
  if (both_ != nullptr) both_->stop();
}

}  // namespace weft::c

using namespace weft::c;

int weft_link_open(weft_handle runtime, const char* address, const weft_link_options* options, weft_handle* link) {
  return with<host>(runtime, [&](const auto& h) {
    if (link == nullptr || address == nullptr) return fail(WEFT_INVALID_ARGUMENT, "link or address is NULL");
    const auto said = take(options, "weft_link_options");
    if (!said.ok()) return fail(said.status());
    conversation::json_types json;
    for (auto [name, type] : {std::pair{said->sent_type, &json.sent}, std::pair{said->received_type, &json.received}}) {
      if (name == nullptr) continue;
      *type = h->types().message(name);
      if (*type == nullptr) return fail(WEFT_FAILED_PRECONDITION, "the type " + std::string{name} + " is not known");
    }
    const std::chrono::milliseconds patience{said->connect_ms != 0 ? said->connect_ms : 5'000};
    const conversation::limits ahead{said->read_ahead != 0 ? said->read_ahead : 16,
                                     said->write_ahead != 0 ? said->write_ahead : 64};
    const auto made = std::make_shared<player_link>(h, address, patience, ahead, json, said->user);
    *link = handles::all().add(made);
    weft::spawn(h->rt().control(), "link", &player_link::run, made);
    return static_cast<int>(WEFT_OK);
  });
}
