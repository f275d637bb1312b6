#include <weft/bench/rpc/lobby_calls.hpp>

#include <array>
#include <random>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <weft/rpc/server.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/semaphore.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using namespace ::bench::v1;
using clock = std::chrono::steady_clock;

constexpr auto deadline = 60s;  // longer than the whole takes: nothing is to expire

// One strand, so what it counts needs no lock. Half of the handlers sleep.
class lobby final : public Lobby::service {
 public:
  lobby(runtime& rt, duration most_delay)
      : service{rt, {.name = Lobby::full_name, .mailbox = 1'000'000, .running = 1'000'000}}, most_delay_{most_delay} {}

  weft::reply<Done> Join(Step& step) override { return take(step); }
  weft::reply<Done> Play(Step& step) override { return take(step); }
  weft::reply<TallyReply> Tally(TallyRequest&) override { co_return tally_; }

 private:
  weft::reply<Done> take(Step& step) {
    count(step);
    if (most_delay_ > duration::zero() && random_() % 2 == 0)
      co_await ok(co_await sleep_for(duration{random_() % static_cast<std::uint64_t>(most_delay_.count())}));
    Done done;
    done.mutable_payload()->swap(*step.mutable_payload());
    co_return done;
  }

  void count(const Step& step) {
    auto& p = of_player_.at(step.player());
    tally_.set_steps(tally_.steps() + 1);
    if (p.seen.size() <= step.serial()) p.seen.resize(step.serial() * 2 + 1'024);
    if (p.seen[step.serial()]) tally_.set_twice(tally_.twice() + 1);
    p.seen[step.serial()] = true;
    if (step.serial() < p.next) tally_.set_inversions(tally_.inversions() + 1);
    else p.next = step.serial() + 1;
  }

  struct of_player {
    std::uint64_t next = 0;
    std::vector<bool> seen;
  };
  const duration most_delay_;
  std::minstd_rand random_{7};
  std::array<of_player, players> of_player_{};
  TallyReply tally_;
};

struct outcome {
  latency_histogram latency;
  std::uint64_t failed = 0;
  std::string error;
};

task<> step(Lobby::client to, bool join, Step request, outcome* o, semaphore::permit held) {
  const auto began = clock::now();
  const call_options options{within{deadline}};
  const auto payload = request.payload().size();
  const auto reply = join ? co_await to.Join(request, options) : co_await to.Play(request, options);
  o->latency.add(clock::now() - began);
  if (reply.ok() && reply->payload().size() == payload) co_return;
  if (o->failed++ == 0) o->error = reply.ok() ? "a reply without the payload" : reply.status().to_string();
}

task<status> play(player_clients to, int player, std::uint64_t steps, const steps_load* load, outcome* o) {
  semaphore ahead{static_cast<std::size_t>(load->ahead)};
  const std::string payload(load->payload, 'x');
  co_return co_await with_scope(
      [](player_clients to, int player, std::uint64_t steps, const std::string* payload, semaphore* ahead, outcome* o,
         scope& s) -> task<status> {
        for (std::uint64_t i = 0; i < steps && o->failed == 0; ++i) {
          auto held = co_await ok(ahead->acquire());
          Step request;
          request.set_player(static_cast<std::uint32_t>(player));
          request.set_serial(i);
          request.set_payload(*payload);
          const bool join = i % 2 == 0;
          std::ignore = s.start(step(join ? to.join : to.play, join, std::move(request), o, std::move(held)));
        }
        co_return status{};
      },
      to, player, steps, &payload, &ahead, o);
}

task<> play_all(std::vector<player_clients> clients, const steps_load* load, outcome* o, scope& s) {
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto share = load->calls / clients.size() + (i < load->calls % clients.size() ? 1 : 0);
    std::ignore = s.start(&play, clients[i], static_cast<int>(i), share, load, o);
  }
  co_return;
}

}  // namespace

void serve_lobby(parent_link& parent, duration most_delay) {
  rpc_runtime rt;
  lobby service{rt, most_delay};
  server server{rt};
  server.add(service);
  if (auto s = server.start(); !s.ok()) throw std::runtime_error{s.to_string()};
  parent.announce(server.port());
  parent.wait_until_released();
  server.stop(1s);
  service.stop_and_wait();
}

figures run_steps(rpc_runtime& rt, const Lobby::client& tally, std::vector<player_clients> clients,
                  const steps_load& load) {
  const TallyRequest ask;
  const auto before = sync_wait(rt, as_task(tally.Tally(ask)));  // connects
  if (!before.ok()) throw std::runtime_error{before.status().to_string()};
  outcome o;
  const auto began = clock::now();
  sync_wait(rt, with_scope(&play_all, std::move(clients), &load, &o));
  const auto seconds = std::chrono::duration<double>(clock::now() - began).count();
  if (o.failed != 0) throw std::runtime_error{std::to_string(o.failed) + " calls failed; " + o.error};
  const auto after = sync_wait(rt, as_task(tally.Tally(ask)));
  if (!after.ok()) throw std::runtime_error{after.status().to_string()};
  figures f{{"calls", static_cast<double>(load.calls)},
            {"calls_per_s", static_cast<double>(load.calls) / seconds},
            {"inversions", static_cast<double>(after->inversions())},
            {"lost", static_cast<double>(load.calls) - static_cast<double>(after->steps() - after->twice())},
            {"twice", static_cast<double>(after->twice())}};
  add_latency(f, o.latency);
  return f;
}

}  // namespace weft::bench
