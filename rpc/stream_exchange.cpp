#include <weft/rpc/stream_exchange.hpp>

#include <tuple>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/detail/step.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft::detail {

stream_exchange::stream_exchange(peer& to, const method_info& method)
    : channel_{to.shared_channel()}, method_{method} {}

void stream_exchange::cut(const status& why) noexcept {
  requests_->cut(why);
  replies_->close();
}

status stream_exchange::depart(worker& home, time_point deadline, const context*) noexcept {
  if (!channel_->problem().ok()) return channel_->problem();
  home_ = &home;
  auto& polling = channel_->home();
  requests_->connect(home, polling);
  replies_->connect(polling, home);
  context_.emplace();
  set_up(*context_, deadline, channel_->metadata(), extras_if_any());
  if (!spawn(channel_->owner().control(), method_.path, &stream_exchange::run, this)) {
    return unavailable("the runtime has ended");
  }
  if (deadline != never) home.timers().arm(deadline_, saturating_add(deadline, grpc_first));
  return {};
}

result<unit> stream_exchange::take_reply() {
  extras_here().headers = headers();
  extras_here().trailers = from_grpc(context_->GetServerTrailingMetadata());
  if (!status_.ok()) return from_grpc(status_, method_.path);
  return unit{};
}

// Once it has sent itself home nothing of *this is touched.
task<> stream_exchange::run() {
  auto& queue = channel_->owner().queue();
  queue.went_out(*this);
  stream_ = prepare_stream(channel_->next().shared(), method_.path, *context_, queue.queue());
  const auto start = [this](void* tag) { stream_->StartCall(tag); };
  step begun{queue, *context_, "gRPC start", start};
  if (co_await begun) co_await with_scope(&stream_exchange::both_ways, this);
  replies_->end();
  requests_->refuse(failed_precondition("the call is over: its status says why"));
  const auto finish = [this](void* tag) { stream_->Finish(&status_, tag); };
  step finished{queue, *context_, "gRPC finish", finish};
  std::ignore = co_await finished;
  queue.came_back(*this);
  home_->submit(homeward_);
}

task<> stream_exchange::both_ways(stream_exchange* x, scope& s) {
  std::ignore = s.start(x->send(), "stream requests");
  co_await x->receive();
  x->requests_->close();  // the call is over
}

void stream_exchange::send_headers_home() {
  auto received = from_grpc(context_->GetServerInitialMetadata());
  if (home_ == &channel_->home()) {
    headers_came(std::move(received), compression::none);
    return;
  }
  auto* parcel = new headers_parcel{*this, std::move(received), compression::none};
  if (!home_->submit(*parcel)) delete parcel;
}

task<> stream_exchange::send() {
  auto& queue = channel_->owner().queue();
  while (auto request = co_await requests_->read()) {
    const auto write = [&](void* tag) { stream_->Write(request->bytes, options_of(*request), tag); };
    step written{queue, *context_, "gRPC write", write};
    if (co_await written) continue;
    requests_->refuse(failed_precondition("the call is over: its status says why"));
    co_return;
  }
  if (!requests_->ended_by_writer()) co_return;
  const auto end = [this](void* tag) { stream_->WritesDone(tag); };
  step ended{queue, *context_, "gRPC writes done", end};
  std::ignore = co_await ended;
}

// Read by nobody, replies go on to be taken from gRPC, so that the call can end.
task<> stream_exchange::receive() {
  auto& queue = channel_->owner().queue();
  const auto read_headers = [this](void* tag) { stream_->ReadInitialMetadata(tag); };
  step headers{queue, *context_, "gRPC headers", read_headers};
  if (co_await headers) send_headers_home();
  for (;;) {
    stream_bytes reply;
    const auto read = [&](void* tag) { stream_->Read(&reply.bytes, tag); };
    step received{queue, *context_, "gRPC read", read};
    if (!co_await received) co_return;
    reply.compressed = came_compressed(*context_);
    std::ignore = co_await replies_->write(std::move(reply));
  }
}

}  // namespace weft::detail
