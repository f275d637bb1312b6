#include <weft/runtime/link/gate_link.hpp>

#include <algorithm>
#include <tuple>
#include <utility>
#include <weft/runtime/link/gate_message.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

bool passes(const status& trouble) noexcept {
  switch (trouble.code()) {
    case code::unavailable:
    case code::deadline_exceeded:
    case code::resource_exhausted:
    case code::aborted: return true;
    default: return false;
  }
}

}  // namespace

gate_link::gate_link(io& sockets, strand& home, std::string address, gate_link_options options)
    : sockets_{sockets}, home_{home}, address_{std::move(address)}, options_{options}, events_{options.events} {}

task<status> gate_link::run(greeting greet) {
  auto& ctx = co_await current();
  auto wait = options_.first_wait;
  while (!ctx.stopped()) {
    auto connecting = tcp_connect(sockets_, home_, address_, options_.connection);
    auto connected = co_await with_timeout(options_.connect_within, std::move(connecting));
    trouble_ = connected.status();
    if (connected.ok()) {
      const auto before = connections_;
      link_ = std::move(*connected);
      trouble_ = co_await with_scope(&gate_link::talk, this, &greet);
      link_.reset();
      if (connections_ != before) wait = options_.first_wait;
    }
    if (ctx.stopped()) break;
    if (!passes(trouble_)) co_return trouble_;
    tell_lost();
    const auto part = wait / 2;
    std::ignore = co_await sleep_for(part + part * home_.home().draw() / 65'536);
    wait = std::min(2 * wait, options_.longest_wait);
  }
  co_return cancelled("stopped");
}

void gate_link::tell_lost() {
  if (options_.listener != nullptr && !std::exchange(told_lost_, true)) options_.listener->lost(trouble_);
}

// Until the connection has ended: why. What a greeting was refused with is not among what passes.
task<status> gate_link::talk(const greeting* greet, scope& all) {
  listening_ = true;
  auto listening = all.start(listen(), "gate link listens");
  status greeted;
  if (*greet) {
    line first{*this};
    greeted = co_await (*greet)(first);
  }
  if (greeted.ok() && listening_) {
    ++connections_;
    trouble_ = {};
    open_.set();
    told_lost_ = false;
    if (options_.listener != nullptr) options_.listener->opened();
  } else {
    link_->close();
  }
  auto ended = co_await std::move(listening);
  co_return greeted.ok() ? ended : greeted;
}

task<status> gate_link::listen() {
  status why;
  while (auto message = co_await link_->receive()) {
    why = hear(*std::move(message));
    if (!why.ok()) break;
  }
  if (why.ok()) why = link_->end();
  listening_ = false;
  open_.reset();
  link_->close();
  for (auto& [number, asked] : std::exchange(questions_, {})) {
    asked->answer = unavailable("the connection to the gate broke: the command may have run");
    asked->answered.set();
  }
  co_return unavailable(why.ok() ? "the gate closed the connection" : why.message());
}

status gate_link::hear(std::string message) {
  auto head = read_gate_head(message);
  if (!head.ok()) return head.status();
  if (head->reply_to == 0) {
    if (options_.listener != nullptr) {
      options_.listener->heard(std::move(message));
      return {};
    }
    // NOLINTNEXTLINE(bugprone-use-after-move): what is refused is untouched
    while (!events_.try_push(std::move(message)).ok()) {
      if (!events_.try_pop()) break;
      ++dropped_events_;
    }
    return {};
  }
  const auto asked = questions_.find(head->reply_to);
  if (asked == questions_.end()) return {};  // nobody waits for it any more
  if (head->outcome.ok()) {
    asked->second->answer = std::move(message);
  } else {
    asked->second->answer = std::move(head->outcome);
  }
  asked->second->answered.set();
  questions_.erase(asked);
  return {};
}

task<result<std::string>> gate_link::ask(std::string command, duration within, bool* sent) {
  if (unanswered_ == options_.commands) co_return resource_exhausted("too many commands are without an answer");
  struct counted {
    explicit counted(std::size_t& n) noexcept : count{n} { ++count; }
    ~counted() { --count; }
    std::size_t& count;
  } const one{unanswered_};
  auto asking = ask_when_open(std::move(command), sent);
  auto answer = co_await with_timeout(within, std::move(asking));
  co_return answer;
}

task<result<std::string>> gate_link::line::ask(std::string command, duration within) {
  auto asking = owner_.ask_now(std::move(command), nullptr);
  auto answer = co_await with_timeout(within, std::move(asking));
  co_return answer;
}

task<result<std::string>> gate_link::ask_when_open(std::string command, bool* sent) {
  const status open = co_await open_.wait();
  if (!open.ok()) co_return open;
  while (!open_.is_set()) {  // it broke before this task had its turn
    const status again = co_await open_.wait();
    if (!again.ok()) co_return again;
  }
  auto answer = co_await ask_now(std::move(command), sent);
  co_return answer;
}

task<result<std::string>> gate_link::ask_now(std::string command, bool* sent) {
  if (!listening_) co_return unavailable("the connection to the gate broke: the command was not sent");
  const auto number = ++last_number_;
  number_command(command, number);
  auto out = link_->send(std::move(command));
  if (!out.ok()) co_return out;
  if (sent != nullptr) *sent = true;
  question asked;
  questions_[number] = &asked;
  const status answered = co_await asked.answered.wait();
  if (!answered.ok()) {
    questions_.erase(number);
    co_return answered;
  }
  co_return std::move(asked.answer);
}

task<result<std::string>> gate_lane::ask(std::string command, duration within, bool* sent) {
  auto asking = ask_in_turn(std::move(command), within, sent);
  auto answer = co_await with_timeout(within, std::move(asking));
  co_return answer;
}

task<result<std::string>> gate_lane::ask_in_turn(std::string command, duration within, bool* sent) {
  auto hold = co_await turn_.lock();
  if (!hold.ok()) co_return hold.status();
  auto answer = co_await over_.ask(std::move(command), within, sent);
  co_return answer;
}

}  // namespace weft
