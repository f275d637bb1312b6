#include <weft/rpc/stream_exchange.hpp>

#include <tuple>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/detail/step.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft::detail {

stream_exchange::stream_exchange(std::shared_ptr<channel> to, const method_info& method)
    : channel_{std::move(to)}, method_{method} {}

void stream_exchange::cut(const status& why) noexcept {
  requests_->cut(why);
  replies_->close();
}

status stream_exchange::depart(worker& home, time_point deadline, const context* caller) noexcept {
  if (!channel_) return unimplemented("a method that streams cannot be called over the caller's session");
  if (!channel_->problem().ok()) return channel_->problem();
  home_ = &home;
  connect(home);
  context_.emplace();
  if (channel_->guided()) {
    guided_call& self = *this;
    guide_ = std::make_unique<guide>(self, channel_, method_);
    if (caller != nullptr) guide_->look_at(*caller);
    auto s = guide_->set_out(home, deadline, extras_if_any());
    if (s.ok()) arm(deadline);
    return s;
  }
  set_up(*context_, deadline, channel_->metadata(), extras_if_any());
  if (!carry()) return unavailable("the runtime has ended");
  arm(deadline);
  return {};
}

void stream_exchange::arm(time_point deadline) noexcept {
  if (deadline != never) home_->timers().arm(deadline_, saturating_add(deadline, grpc_first));
}

void stream_exchange::connect(worker& home) noexcept {
  auto& polling = channel_->home();
  requests_->connect(home, polling);
  replies_->connect(polling, home);
}

bool stream_exchange::carry() noexcept {
  return spawn(channel_->owner().control(), method_.path, &stream_exchange::run, this);
}

void stream_exchange::cancel() noexcept { guide_ ? guide_->turn_back() : context_->TryCancel(); }

void stream_exchange::begin_rest(time_point deadline, const call_extras& extras) noexcept {
  set_up(*context_, deadline, channel_->metadata(), &extras);
  std::ignore = carry();  // on a worker of its own runtime this never fails
}

void stream_exchange::passed(status outcome) noexcept {
  status_ = to_grpc(outcome);
  if (!ended_) end_pipes();  // it never began
}

void stream_exchange::end_pipes() noexcept {
  replies_->end();
  requests_->refuse(failed_precondition("the call is over: its status says why"));
}

result<unit> stream_exchange::take_reply() {
  extras_here().headers = headers();
  if (ended_) extras_here().trailers = from_grpc(context_->GetServerTrailingMetadata());
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
  end_pipes();
  const auto finish = [this](void* tag) { stream_->Finish(&status_, tag); };
  step finished{queue, *context_, "gRPC finish", finish};
  std::ignore = co_await finished;
  queue.came_back(*this);
  ended_ = true;
  if (!guide_) {
    home_->submit(homeward_);
    co_return;
  }
  call_extras reply;
  reply.headers = std::move(headers_here_);
  reply.trailers = from_grpc(context_->GetServerTrailingMetadata());
  guide_->arrived(from_grpc(status_, method_.path), std::move(reply));
}

task<> stream_exchange::both_ways(stream_exchange* x, scope& s) {
  std::ignore = s.start(x->send(), "stream requests");
  co_await x->receive();
  x->requests_->close();  // the call is over
}

void stream_exchange::send_headers_home() {
  auto received = from_grpc(context_->GetServerInitialMetadata());
  if (guide_) headers_here_ = received;
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
