#include "lobby/demo_run.hpp"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

#include "lobby/free_addresses.hpp"

namespace lobby {
namespace {

using namespace std::chrono_literals;

namespace fs = std::filesystem;

constexpr auto progress_every = 100ms;

std::string program(const char* name) { return fs::read_symlink("/proc/self/exe").replace_filename(name); }

bool contains(const std::string& line, const char* text) { return line.find(text) != std::string::npos; }

// How a run goes: rewritten in place on a terminal, a line each otherwise.
void show(const way& how, const std::string& what) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::cerr << (terminal ? "\r\033[K" : "") << how.title << ": " << what << (terminal ? "" : "\n") << std::flush;
}

void end_show() {
  if (::isatty(STDERR_FILENO) == 1) std::cerr << "\r\033[K" << std::flush;
}

}  // namespace

class demo_run::temporary_folder {
 public:
  temporary_folder() {
    auto name = (fs::temp_directory_path() / "weft-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw fs::filesystem_error{"mkdtemp", name, std::make_error_code(std::errc{errno})};
    path_ = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

weft::result<run_result> demo_run::run(const way& how, demo_report& report) {
  const temporary_folder folder;
  const auto result_file = folder.path() / "result.json";
  auto outcome = start_lobby(how, folder.path());
  if (outcome.ok()) outcome = play(how, result_file, report);
  const auto stopped = stop_lobby(how, report);
  end_show();
  if (children_.interrupted()) return weft::cancelled("interrupted");
  if (!outcome.ok()) return outcome;
  if (!stopped.ok()) return stopped;
  std::ifstream in{result_file};
  return parse_run_result({std::istreambuf_iterator<char>{in}, {}});
}

weft::status demo_run::start_lobby(const way& how, const fs::path& folder) {
  const auto addresses = free_addresses(4);
  gate_address_ = addresses[0];
  v1::Topology topology;
  topology.set_listen(addresses[0]);
  topology.mutable_lobby()->set_local(true);
  if (how.binding == binding::local) {
    for (auto* place : {topology.mutable_gate(), topology.mutable_cards(), topology.mutable_chat()}) {
      place->set_local(true);
    }
  } else {
    topology.mutable_gate()->set_address(addresses[1]);
    topology.mutable_cards()->set_address(addresses[2]);
    topology.mutable_chat()->set_address(addresses[3]);
    for (auto* place : {topology.mutable_gate(), topology.mutable_cards(), topology.mutable_chat()}) {
      place->set_unary(how.binding == binding::unary);
    }
  }
  topology.set_handling(how.handling);
  topology.set_chat_delay_ms(chat_delay_ms);
  topology.set_journal_max_ms(2);
  google::protobuf::util::JsonPrintOptions readable;
  readable.add_whitespace = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(topology, &json, readable);
  const auto file = folder / "topology.json";
  std::ofstream out{file};
  out << json;
  if (!printed.ok() || !out.flush()) return weft::unavailable("cannot write " + file.string());

  servers_.clear();
  const auto roles = how.binding == binding::local ? std::vector{"gate"} : std::vector{"cards", "chat", "gate"};
  for (const char* role : roles) {
    servers_.push_back(&children_.start(role, {program("lobby"), "--role", role, "--config", file}));
  }
  for (auto* server : servers_) {
    if (auto ready = wait_until_ready(*server); !ready.ok()) return ready;
  }
  return {};
}

weft::status demo_run::wait_until_ready(child_process& server) {
  const auto line = "ready " + server.name();
  const auto ready = [&] {
    return !server.running() ||
           std::find(server.output().begin(), server.output().end(), line) != server.output().end();
  };
  if (children_.wait(time_to_start, ready) && server.running()) return {};
  if (children_.interrupted()) return weft::cancelled("interrupted");
  return weft::unavailable("the lobby did not get ready: " + server.report());
}

weft::status demo_run::play(const way& how, const fs::path& result_file, demo_report& report) {
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  auto& robots = children_.start("robots", {program("robots"), "--address", gate_address_, "--robots",
                                            number(options_.robots), "--seconds", number(options_.seconds), "--seed",
                                            number(options_.seed), "--json", result_file, "--progress"});
  const auto begin = std::chrono::steady_clock::now();
  const auto half_time = begin + std::chrono::milliseconds{options_.seconds * 1000 / 2};
  const auto too_late = begin + std::chrono::seconds{options_.seconds} + time_to_finish;
  std::size_t shown = 0;
  while (!children_.wait(progress_every, [&robots] { return !robots.running(); })) {
    const auto now = std::chrono::steady_clock::now();
    if (children_.interrupted()) return weft::cancelled("interrupted");
    if (now > too_late) return weft::unavailable("the robots did not end in time: " + robots.report());
    for (; shown < robots.errors().size(); ++shown) show(how, robots.errors()[shown]);
    for (const auto* server : servers_) {
      if (!server->running()) return weft::unavailable("a server fell over: " + server->report());
    }
    if (how.handling == v1::LANES && how.binding == binding::session && now > half_time)
      look_for_suspended_player(*servers_.back(), report);
  }
  return robots.succeeded() ? weft::status{} : weft::unavailable(robots.report());
}

// Asks the gate for a dump until one shows what is sought; a dump takes no longer than the next look.
void demo_run::look_for_suspended_player(child_process& gate, demo_report& report) {
  if (!report.dump_line.empty()) return;
  const auto& said = gate.errors();
  const auto found = std::find_if(said.begin(), said.end(), [](const std::string& line) {
    return contains(line, "player") && contains(line, "/lobby.v1.Chat/Say");
  });
  if (found != said.end()) {
    report.dump_line = *found;
  } else {
    gate.signal(SIGUSR1);
  }
}

weft::status demo_run::stop_lobby(const way& how, demo_report& report) {
  const auto killed = children_.stop(time_to_stop);
  if (!killed.empty()) {
    std::string names;
    for (const auto& name : killed) names += " " + name;
    return weft::unavailable("had to be killed, having been asked to end:" + names);
  }
  for (const auto* server : servers_) {
    if (!server->succeeded()) return weft::unavailable(server->report());
    const auto left = server->output().empty() ? std::nullopt : parse_left_over(server->output().back());
    if (!left) return weft::unavailable(server->name() + " did not say what it left");
    report.left.tasks += left->tasks;
    report.left.calls += left->calls;
    report.left.fds += left->fds;
    if (!left->nothing())
      report.left_by.push_back(std::string{how.key} + ": " + server->name() + " " + server->output().back());
  }
  return {};
}

}  // namespace lobby
