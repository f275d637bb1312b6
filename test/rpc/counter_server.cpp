// A server for tests that kill it: counter_server ADDRESS FILE KILLS NOT_BEFORE DELAY_US
// Each execution of its methods adds a byte to FILE; with KILLS = 1 it then kills itself, before it can answer. It serves once
// FILE has NOT_BEFORE bytes and DELAY_US microseconds have passed. Until something else has the address it tries again.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>

#include "test/v1/counter.weft.hpp"

namespace {

using test::v1::AddReply;
using test::v1::AddRequest;

struct counter final : test::v1::Counter::service {
  counter(weft::runtime& rt, std::string f, bool k) : service{rt}, file{std::move(f)}, kills{k} {}
  weft::reply<AddReply> Add(AddRequest&) override { return count(); }
  weft::reply<AddReply> AddOnce(AddRequest&) override { return count(); }
  weft::reply<AddReply> count() {
    std::ofstream{file, std::ios::app} << 'x';
    if (kills) kill(getpid(), SIGKILL);
    co_return AddReply{};
  }
  std::string file;
  bool kills;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: counter_server ADDRESS FILE KILLS NOT_BEFORE DELAY_US\n";
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // the test may fail before it ends this
  usleep(static_cast<useconds_t>(std::atoi(argv[5])));
  while (std::filesystem::file_size(argv[2]) < static_cast<std::uintmax_t>(std::atoi(argv[4]))) usleep(1'000);
  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  counter service{rt, argv[2], std::string{argv[3]} == "1"};
  weft::server server{rt, {.addresses = {argv[1]}}};
  server.add(service);
  while (!server.start().ok()) usleep(1'000);
  for (;;) pause();
}
