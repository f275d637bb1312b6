#include <weft/rpc/c/player_link.hpp>

#include <algorithm>
#include <tuple>
#include <weft/rpc/c/call.hpp>
#include <weft/rpc/c/link_command.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft::c {

task<> player_link::run(std::shared_ptr<player_link> l) {
  auto& owner = l->owner();
  owner.in_flight().insert(l.get());
  auto options = l->plan_.options;
  options.listener = l.get();
  l->gate_ = std::make_unique<gate_link>(owner.sockets(), owner.rt().control(), l->plan_.address, options);
  co_await with_scope(&player_link::talk, l.get());
  owner.in_flight().erase(l.get());
  for (auto& e : std::exchange(l->untold_, {})) owner.events().put(std::move(e));
  auto end = l->about(WEFT_EVENT_STREAM_END);
  end.ended_with(*l->given_up_);
  end.last = true;
  owner.events().put(std::move(end));
}

// Ends when the link does, with all commands.
task<> player_link::talk(player_link* l, scope& all) {
  l->all_ = &all;
  if (l->given_up_) all.stop();
  gate_link::greeting first;
  if (l->plan_.greeting) first = [l](gate_link::line& line) { return greet(l, &line); };
  auto ended = co_await l->gate_->run(std::move(first));
  if (!l->given_up_) l->given_up_ = std::move(ended);
  all.stop();
  l->all_ = nullptr;
}

task<status> player_link::greet(player_link* l, gate_link::line* first) {
  auto answer = co_await first->ask(*l->plan_.greeting, l->plan_.greet_within);
  if (!answer.ok()) co_return answer.status();
  auto told = from_bytes(l->owner().types(), l->plan_.json.received, std::move(*answer));
  if (!told.ok()) co_return told.status();
  l->greeted_with_ = std::move(*told);
  co_return status{};
}

void player_link::begin(std::shared_ptr<link_command> c) {
  if (all_ == nullptr || all_->stopped()) return c->end(unavailable("the link has ended"));
  std::ignore = all_->start(link_command::run(std::move(c), this), "link command");
}

task<result<std::string>> player_link::ask(player_link* l, std::string command, std::uint64_t key, duration within,
                                           bool* sent) {
  if (key == 0) {
    auto answer = co_await l->gate_->ask(std::move(command), within, sent);
    co_return answer;
  }
  const auto found = l->lanes_.try_emplace(key, *l->gate_).first;
  ++found->second.users;
  auto answer = co_await found->second.lane.ask(std::move(command), within, sent);
  if (--found->second.users == 0) l->lanes_.erase(found);
  co_return answer;
}

void player_link::heard(std::string message) {
  auto data = from_bytes(owner().types(), plan_.json.received, std::move(message));
  if (!data.ok()) return give_up(data.status());
  auto e = about(WEFT_EVENT_STREAM_MESSAGE);
  e.data = std::move(*data);
  if (messages_left_ == 0) make_room();
  if (std::exchange(dropped_, false)) e.code = WEFT_DATA_LOSS;
  --messages_left_;
  tell(std::move(e));
}

void player_link::opened() {
  auto e = about(WEFT_EVENT_LINK_OPEN);
  e.data = std::exchange(greeted_with_, {});
  tell(std::move(e));
}

void player_link::lost(const status& why) {
  auto e = about(WEFT_EVENT_LINK_LOST);
  e.ended_with(why);
  tell(std::move(e));
}

event player_link::about(weft_event_type type) const {
  event e;
  e.type = type;
  e.about = handle();
  e.user = plan_.user;
  return e;
}

// `at` is behind what has gone. A connection of which nothing is left to tell is not told of: what waits stays bounded.
void player_link::forget_connection(std::deque<event>::iterator at) {
  if (at == untold_.begin() || at == untold_.end()) return;
  if (std::prev(at)->type != WEFT_EVENT_LINK_OPEN || at->type != WEFT_EVENT_LINK_LOST) return;
  untold_.erase(std::prev(at), std::next(at));
}

// The oldest message goes, and the one behind it says so.
void player_link::make_room() {
  const auto is_message = [](const event& e) { return e.type == WEFT_EVENT_STREAM_MESSAGE; };
  const auto oldest = std::ranges::find_if(untold_, is_message);
  const auto next = untold_.erase(oldest);
  ++messages_left_;
  const auto behind = std::find_if(next, untold_.end(), is_message);
  if (behind != untold_.end()) {
    behind->code = WEFT_DATA_LOSS;
  } else {
    dropped_ = true;
  }
  forget_connection(next);
}

void player_link::tell(event e) {
  untold_.push_back(std::move(e));
  tell_what_waits();
  if (!untold_.empty()) forget_connection(std::prev(untold_.end()));
}

void player_link::tell_what_waits() {
  while (!untold_.empty() && unpolled_ < told_ahead) {
    auto e = std::move(untold_.front());
    untold_.pop_front();
    if (e.type == WEFT_EVENT_STREAM_MESSAGE) ++messages_left_;
    e.when_polled = [self = shared_from_this()] { self->polled(); };
    ++unpolled_;
    owner().events().put(std::move(e));
  }
}

// Only the worker adds to it, and stops at `told_ahead`: whoever takes the first of so many away lets it go on.
void player_link::polled() {
  if (unpolled_-- != told_ahead) return;
  owner().post([self = shared_from_this()] { self->tell_what_waits(); });
}

void player_link::give_up(status why) noexcept {
  if (!given_up_) given_up_ = std::move(why);
  if (all_ != nullptr) all_->stop();
}

}  // namespace weft::c

using namespace weft::c;

int weft_link_open(weft_handle runtime, const char* address, const weft_link_options* options, weft_handle* link) {
  return with<host>(runtime, [&](const auto& h) {
    if (link == nullptr || address == nullptr) return fail(WEFT_INVALID_ARGUMENT, "link or address is NULL");
    const auto said = take(options, "weft_link_options");
    if (!said.ok()) return fail(said.status());
    player_link::plan plan;
    plan.address = address;
    for (auto [name, type] :
         {std::pair{said->sent_type, &plan.json.sent}, std::pair{said->received_type, &plan.json.received}}) {
      if (name == nullptr) continue;
      *type = h->types().message(name);
      if (*type == nullptr) return fail(WEFT_FAILED_PRECONDITION, "the type " + std::string{name} + " is not known");
    }
    if (said->greeting != nullptr) {
      const auto given = take_bytes(said->greeting, said->greeting_size, "greeting");
      auto bytes = to_bytes(h->types(), plan.json.sent, *given);
      if (!bytes.ok()) return fail(bytes.status());
      plan.greeting = std::move(*bytes);
    }
    const auto set = [](weft::duration& to, std::uint32_t ms) {
      if (ms != 0) to = std::chrono::milliseconds{ms};
    };
    set(plan.options.connect_within, said->connect_ms);
    set(plan.options.first_wait, said->first_wait_ms);
    set(plan.options.longest_wait, said->longest_wait_ms);
    set(plan.greet_within, said->greet_ms);
    plan.options.longest_wait = std::max(plan.options.longest_wait, plan.options.first_wait);
    if (said->read_ahead != 0) plan.messages = said->read_ahead;
    if (said->write_ahead != 0) plan.options.commands = said->write_ahead;
    plan.user = said->user;
    const auto made = std::make_shared<player_link>(h, std::move(plan));
    *link = handles::all().add(made);
    weft::spawn(h->rt().control(), "link", &player_link::run, made);
    return static_cast<int>(WEFT_OK);
  });
}
