#include "lobby/process.hpp"

#include <chrono>
#include <cstdio>
#include <tuple>
#include <utility>
#include <weft/rpc/drain.hpp>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

namespace lobby {

namespace {

load to_load(const v1::Load& l) { return {.running = l.running(), .waiting = l.waiting()}; }

}  // namespace

weft::result<role> role_from(const std::string& name) {
  for (const auto& [text, r] : {std::pair{"all", role::all},
                                {"gate", role::gate},
                                {"lobby", role::lobby},
                                {"cards", role::cards},
                                {"chat", role::chat}}) {
    if (name == text) return r;
  }
  return weft::invalid_argument("no role '" + name + "': all, gate, lobby, cards or chat");
}

weft::result<std::unique_ptr<process>> process::start(role r, const v1::Topology& topology) {
  std::unique_ptr<process> p{new process{r, topology}};
  if (auto s = p->start(); !s.ok()) return s;
  return p;
}

process::~process() { stop(); }

bool process::hosts(role which, const v1::Place& place) const {
  return role_ == role::all || role_ == which || (role_ == role::gate && place.local());
}

// The client of a service that is in this process, or where the topology says.
template <class Client, class Service>
weft::result<Client> process::client_of(const char* name, const std::unique_ptr<Service>& here, const v1::Place& place,
                                        weft::session_options options) {
  if (here) return Client{*here};
  if (place.address().empty()) {
    return weft::invalid_argument(std::string{"this role needs '"} + name +
                                  "', which the topology calls local to the gate: give it an address");
  }
  peers_.push_back(std::make_unique<weft::peer>(rt_, place.address()));
  if (place.unary()) return Client{*peers_.back()};
  sessions_.push_back(std::make_unique<weft::session>(peers_.back()->session(std::move(options))));
  return Client{*sessions_.back()};
}

weft::status process::start() {
  const auto& t = topology_;
  weft::spawn(rt_.control(), "dumps", &process::write_dumps, this);
  if (hosts(role::gate, t.gate())) gate_ = std::make_unique<gate>(rt_);
  auto to_gate = client_of<v1::Gate::client>("gate", gate_, t.gate());
  if (!to_gate.ok()) return to_gate.status();

  if (hosts(role::chat, t.chat())) {
    // Whoever calls over a session is called back over it.
    const auto gate = gate_ || t.chat().unary() ? std::optional{*to_gate} : std::nullopt;
    chat_ = std::make_unique<chat_service>(rt_, gate, std::chrono::milliseconds{t.chat_delay_ms()},
                                           to_load(t.chat_lines()));
  }
  if (hosts(role::cards, t.cards())) {
    cards_ = std::make_unique<cards_service>(rt_, *to_gate, std::chrono::milliseconds{t.journal_max_ms()},
                                             std::chrono::milliseconds{t.turn_ms()}, to_load(t.card_commands()));
  }
  const bool has_lobby = hosts(role::lobby, t.lobby());
  if (has_lobby || gate_) {
    auto to_cards = client_of<v1::Cards::client>("cards", cards_, t.cards());
    if (!to_cards.ok()) return to_cards.status();
    if (has_lobby) {
      // What is in this process is as new as the lobby; another one may remember a lobby before this one.
      const bool all_new = gate_ && cards_ && chat_;
      const auto first_id = all_new ? 1 : lobby_service::first_id_at(std::chrono::system_clock::now());
      if (!t.saves().empty()) {
        auto opened = score_book::open(t.saves());
        if (!opened.ok()) return opened.status();
        scores_ = std::move(*opened);
      }
      lobby_ = std::make_unique<lobby_service>(rt_, *to_cards, *to_gate,
                                               lobby_options{.first_id = first_id, .scores = scores_.get()});
    }
    if (gate_) {
      auto to_lobby = client_of<v1::Lobby::client>("lobby", lobby_, t.lobby());
      auto to_chat = client_of<v1::Chat::client>("chat", chat_, t.chat(), {.offers = {gate_.get()}});
      if (!to_lobby.ok()) return to_lobby.status();
      if (!to_chat.ok()) return to_chat.status();
      gate_->use({*to_lobby, *to_cards, *to_chat, t.handling(), std::chrono::milliseconds{t.chat_limit_ms()}});
    }
  }

  weft::server_options options;
  options.addresses.clear();
  std::vector<std::pair<weft::rpc_service*, const char*>> offered;
  const auto offer = [&](weft::rpc_service* service, const char* name, const v1::Place& place) {
    if (service == nullptr || place.address().empty()) return;
    options.addresses.push_back(place.address());
    offered.emplace_back(service, name);
  };
  offer(gate_.get(), v1::Gate::full_name, t.gate());
  offer(lobby_.get(), v1::Lobby::full_name, t.lobby());
  offer(cards_.get(), v1::Cards::full_name, t.cards());
  offer(chat_.get(), v1::Chat::full_name, t.chat());
  if (!offered.empty()) {
    health_ = std::make_unique<weft::health>(rt_);
    server_ = std::make_unique<weft::server>(rt_, options);
    server_->add(*health_);
    for (const auto& [service, name] : offered) {
      server_->add(*service);
      health_->set(name, true);
    }
    if (auto s = server_->start(); !s.ok()) return s;
  }

  if (!gate_) return {};
  auto listener = weft::tcp_listen(io_, gate_->strand(), t.listen(), gate::connection);
  if (!listener.ok()) return listener.status();
  listener_ = std::move(*listener);
  gate_->start("way in for players", &process::accept_players, this);
  return {};
}

weft::task<> process::accept_players() {
  while (auto link = co_await listener_->accept()) gate_->welcome(std::move(link));
}

std::vector<std::string> process::served() const {
  std::vector<std::string> names;
  if (gate_) names.emplace_back("gate");
  if (lobby_) names.emplace_back("lobby");
  if (cards_) names.emplace_back("cards");
  if (chat_) names.emplace_back("chat");
  return names;
}

void process::run_until(weft::signals& asked) { weft::sync_wait(rt_, asked.next()); }

weft::task<> process::write_dumps() {
  for (;;) {
    const int number = co_await dumps_.next();
    if (number == 0) break;  // it is stopping
    std::fputs(weft::dump_here().c_str(), stderr);
    std::fflush(stderr);
  }
  no_more_dumps_.set();
}

process::left_over process::drain(weft::signals& asked) {
  asked_ = &asked;
  if (health_) health_->set_all_not_serving();
  if (topology_.retire_ms() != 0) weft::sync_wait(rt_, weft::with_scope(&process::play_out, this));
  return stop();
}

weft::task<> process::play_out(weft::scope& scope) {
  const std::chrono::milliseconds limit{topology_.retire_ms()};
  auto impatient = scope.start(&process::cut_short, this);
  std::vector<weft::started<bool>> all;
  if (lobby_) all.push_back(scope.start(lobby_->retire(limit)));
  if (cards_) all.push_back(scope.start(cards_->retire(limit)));
  for (auto& one : all) std::ignore = co_await std::move(one);
  scope.stop();
}

weft::task<> process::cut_short() {
  if (co_await asked_->next() == 0) co_return;
  hurried_ = true;
  if (cards_) co_await cards_->stop(weft::stop_mode::abort);
  if (lobby_) co_await lobby_->stop(weft::stop_mode::abort);
}

void process::stop_server() {
  if (!server_) return;
  const std::chrono::milliseconds grace{topology_.grace_ms()};
  if (hurried_) return server_->stop();
  if (asked_ == nullptr) return server_->stop(grace);
  weft::drain(*server_, *health_, *asked_, grace);
}

// Players first, while the services they say goodbye to still answer; then the services, then what they stand on.
process::left_over process::stop() {
  left_over left;
  if (std::exchange(stopped_, true)) return left;
  if (gate_) gate_->stop_and_wait(weft::stop_mode::abort);
  if (listener_) weft::visit(rt_.worker_at(0), [this] { listener_.reset(); });
  stop_server();
  for (weft::service* s : {static_cast<weft::service*>(lobby_.get()), static_cast<weft::service*>(cards_.get()),
                           static_cast<weft::service*>(chat_.get()), static_cast<weft::service*>(health_.get())}) {
    if (s != nullptr) s->stop_and_wait(weft::stop_mode::abort);
  }
  sessions_.clear();
  io_.stop();
  weft::sync_wait(rt_, [](weft::event* e) -> weft::task<> { std::ignore = co_await e->wait(); }(&no_more_dumps_));
  weft::visit(rt_.worker_at(0), [&left] { left.tasks = weft::live_tasks_here(); });
  rt_.stop();
  left.calls = rt_.queue().counters().started - rt_.queue().counters().ended;
  return left;
}

}  // namespace lobby
