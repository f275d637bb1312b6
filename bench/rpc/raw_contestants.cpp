#include <weft/bench/rpc/raw_contestants.hpp>

#include <thread>

#include <grpcpp/grpcpp.h>

#include <weft/bench/rpc/raw_queue.hpp>
#include <weft/rpc/process_setup.hpp>

namespace weft::bench {
namespace {

void serve_raw_queue(parent_link& parent) {
  raw_server server{{}};
  const std::jthread stopper{[&] {
    parent.wait_until_released();
    server.stop();
  }};
  parent.announce(server.port());
  server.serve();
}

run_result call_raw_queue(const call_setup& setup) {
  raw_client client{{.target = setup.target,
                     .arguments = channel_arguments{},
                     .payload = setup.payload,
                     .outstanding = setup.outstanding,
                     .deadline = call_deadline}};
  return client.run(setup.load);
}

// Both sides of raw_cq with the settings that weft makes by default.
void serve_tuned_raw_queue(parent_link& parent) {
  process_setup();
  serve_raw_queue(parent);
}
run_result call_tuned_raw_queue(const call_setup& setup) {
  process_setup();
  raw_client client{{.target = setup.target,
                     .arguments = {{GRPC_ARG_ENABLE_RETRIES, 0}},
                     .payload = setup.payload,
                     .outstanding = setup.outstanding,
                     .deadline = call_deadline}};
  return client.run(setup.load);
}

}  // namespace

constinit const contestant raw_queue{.name = "raw_cq", .peer = true, .serve = serve_raw_queue, .call = call_raw_queue};
constinit const contestant tuned_raw_queue{
    .name = "raw_cq, weft's settings", .peer = true, .serve = serve_tuned_raw_queue, .call = call_tuned_raw_queue};

}  // namespace weft::bench
