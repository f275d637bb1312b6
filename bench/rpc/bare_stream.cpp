#include <weft/bench/rpc/bare_stream.hpp>

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <weft/rpc/process_setup.hpp>

namespace weft::bench {
namespace {

using grpc::ByteBuffer;

enum tag : std::uintptr_t { begun = 1, read, written, finished, stopped };
void* as_tag(tag t) { return reinterpret_cast<void*>(t); }

// What is to be written: the bytes of calls, one after the other.
class outgoing {
 public:
  explicit outgoing(bool batched) : batched_{batched} {}

  void add(std::uint32_t number, const char* data, std::uint32_t size) {
    const auto at = bytes_.size();
    bytes_.resize(at + 8 + size);
    std::memcpy(bytes_.data() + at, &number, 4);
    std::memcpy(bytes_.data() + at + 4, &size, 4);
    std::memcpy(bytes_.data() + at + 8, data, size);
  }
  bool empty() const { return bytes_.size() == taken_; }
  ByteBuffer next() {
    auto size = bytes_.size() - taken_;
    if (!batched_) {
      std::uint32_t length = 0;
      std::memcpy(&length, bytes_.data() + taken_ + 4, 4);
      size = 8 + length;
    }
    const grpc::Slice slice{bytes_.data() + taken_, size};
    taken_ += size;
    if (taken_ == bytes_.size()) {
      bytes_.clear();
      taken_ = 0;
    }
    return {&slice, 1};
  }

 private:
  const bool batched_;
  std::vector<char> bytes_;
  std::size_t taken_ = 0;
};

// Calls f(number, data, size) for each call in a message.
template <class F>
void for_each(const ByteBuffer& message, F f) {
  grpc::Slice slice;
  if (!message.TrySingleSlice(&slice).ok() && !message.DumpToSingleSlice(&slice).ok())
    throw std::runtime_error{"a message could not be read"};
  const auto* at = reinterpret_cast<const char*>(slice.begin());
  const auto* const end = reinterpret_cast<const char*>(slice.end());
  while (end - at >= 8) {
    std::uint32_t number = 0;
    std::uint32_t size = 0;
    std::memcpy(&number, at, 4);
    std::memcpy(&size, at + 4, 4);
    f(number, at + 8, size);
    at += 8 + size;
  }
}

// Serves the one stream that comes, until the parent lets go.
template <bool Batched>
void serve(parent_link& parent) {
  process_setup();
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(-1);  // a batch of many large calls is more than gRPC's 4 MiB
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) throw std::runtime_error{"cannot listen on 127.0.0.1"};

  grpc::Alarm alarm;
  const std::jthread stopper{[&] {
    parent.wait_until_released();
    server->Shutdown(std::chrono::system_clock::now());
    alarm.Set(queue.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), as_tag(stopped));
  }};
  parent.announce(port);

  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
  service.RequestCall(&context, &stream, queue.get(), queue.get(), as_tag(begun));
  ByteBuffer message;
  outgoing replies{Batched};
  bool writing = false;
  bool over = false;
  void* came = nullptr;
  bool ok = false;
  const auto write = [&] {
    if (writing || replies.empty() || over) return;
    writing = true;
    stream.Write(replies.next(), as_tag(written));
  };
  while (queue->Next(&came, &ok)) {
    switch (static_cast<tag>(reinterpret_cast<std::uintptr_t>(came))) {
      case begun:
        if (ok) stream.Read(&message, as_tag(read));
        break;
      case read:
        if (!ok) {
          over = true;
          stream.Finish(grpc::Status::OK, as_tag(finished));
          break;
        }
        for_each(message, [&](auto number, const char* data, auto size) { replies.add(number, data, size); });
        stream.Read(&message, as_tag(read));
        write();
        break;
      case written:
        writing = false;
        if (ok) write();
        break;
      case finished: break;
      case stopped: queue->Shutdown(); break;
    }
  }
}

template <bool Batched>
run_result call(const call_setup& setup) {
  process_setup();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  const auto channel = grpc::CreateCustomChannel(setup.target, grpc::InsecureChannelCredentials(), arguments);
  grpc::GenericStub stub{channel};
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto stream = stub.PrepareCall(&context, "/bench.v1.Bare/Stream", &queue);
  stream->StartCall(as_tag(begun));

  closed_loop loop{setup.load};
  const std::string payload(setup.payload, 'x');
  outgoing requests{Batched};
  std::vector<closed_loop::clock::time_point> began(static_cast<std::size_t>(setup.outstanding));
  int out = 0;
  bool writing = false;
  bool half_closed = false;
  bool over = false;
  ByteBuffer message;
  grpc::Status status;
  void* came = nullptr;
  bool ok = false;
  const auto write = [&] {
    if (writing || over) return;
    if (!requests.empty()) {
      writing = true;
      stream->Write(requests.next(), as_tag(written));
    } else if (out == 0 && !std::exchange(half_closed, true)) {
      writing = true;
      stream->WritesDone(as_tag(written));
    }
  };
  while (queue.Next(&came, &ok)) {
    switch (static_cast<tag>(reinterpret_cast<std::uintptr_t>(came))) {
      case begun:
        if (!ok) {
          loop.failed("the stream did not begin");
          stream->Finish(&status, as_tag(finished));
          break;
        }
        for (int i = 0; i < setup.outstanding; ++i) {
          began[static_cast<std::size_t>(i)] = closed_loop::clock::now();
          requests.add(static_cast<std::uint32_t>(i), payload.data(), static_cast<std::uint32_t>(payload.size()));
          ++out;
        }
        stream->Read(&message, as_tag(read));
        write();
        break;
      case read:
        if (!ok) {
          over = true;
          if (out != 0) loop.failed("the stream ended with calls out");
          stream->Finish(&status, as_tag(finished));
          break;
        }
        for_each(message, [&](auto number, const char* data, auto size) {
          --out;
          if (number >= began.size() || size != payload.size()) return loop.failed("a reply without the payload");
          static_cast<void>(data);
          if (!loop.succeeded(began[number])) return;
          requests.add(number, payload.data(), static_cast<std::uint32_t>(payload.size()));
          ++out;
        });
        stream->Read(&message, as_tag(read));
        write();
        break;
      case written:
        writing = false;
        if (ok) write();
        break;
      case finished: queue.Shutdown(); break;
      case stopped: break;
    }
  }
  return loop.result();
}

}  // namespace

constinit const contestant bare_stream{.name = "bare stream", .peer = true, .serve = serve<false>, .call = call<false>};
constinit const contestant bare_batched_stream{
    .name = "bare batched stream", .peer = true, .serve = serve<true>, .call = call<true>};

}  // namespace weft::bench
