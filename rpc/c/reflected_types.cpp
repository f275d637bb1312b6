#include <weft/rpc/c/reflected_types.hpp>

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "grpc/reflection/v1/reflection.pb.h"

namespace weft::c {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// Both versions have the same messages. Old servers have the second only.
task<> reflected_types::run(std::shared_ptr<reflected_types> self) {
  auto& owner = self->owner();
  owner.in_flight().insert(self.get());
  files found;
  auto outcome = co_await self->ask(self->plan_.method, &found);
  if (outcome.code() == code::unimplemented) {
    const auto old = owner.method("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    if (old.ok()) outcome = co_await self->ask(*old, &found);
  }
  if (outcome.ok()) outcome = owner.types().add(std::move(found));
  owner.in_flight().erase(self.get());
  event e;
  e.type = WEFT_EVENT_REPLY;
  e.about = self->handle();
  e.user = self->plan_.user;
  e.ended_with(outcome);
  e.method = self->plan_.method->path;
  e.last = true;
  owner.events().put(std::move(e));
}

task<status> reflected_types::ask(const named_method* version, files* found) {
  if (given_up_) co_return cancelled("the caller cancelled the call");
  auto talk = open_raw(from_->peer(), version->info, plan_.options());
  talk_ = &talk;
  ServerReflectionRequest first;
  first.set_file_containing_symbol(service_);
  auto outcome = co_await question(first.SerializeAsString(), found);
  std::set<std::string> asked;
  for (std::size_t i = 0; outcome.ok() && i < found->size(); ++i) {
    asked.insert((*found)[i].name());
    const std::vector<std::string> imports{(*found)[i].dependency().begin(), (*found)[i].dependency().end()};
    for (const auto& name : imports) {
      const bool here = owner().types().has_file(name) || asked.contains(name) ||
                        std::ranges::any_of(*found, [&](const auto& f) { return f.name() == name; });
      if (!outcome.ok() || here) continue;
      ServerReflectionRequest next;
      next.set_file_by_filename(name);
      asked.insert(name);
      outcome = co_await question(next.SerializeAsString(), found);
    }
  }
  talk_ = nullptr;
  talk.writes_done();
  auto end = co_await talk.finish();
  co_return outcome.ok() ? end : outcome;
}

// The end of the stream says why there was no answer.
task<status> reflected_types::question(std::string bytes, files* found) {
  raw_message message{std::move(bytes)};
  const auto written = co_await talk_->write(std::move(message));
  auto reply = co_await talk_->read();
  if (!reply) {
    auto end = co_await talk_->finish();
    co_return end.ok() ? internal_error("the server did not answer") : end;
  }
  ServerReflectionResponse answer;
  if (!answer.ParseFromString(reply->bytes)) {
    co_return internal_error("the server's answer is no ServerReflectionResponse");
  }
  if (answer.has_error_response()) {
    co_return weft::status{static_cast<code>(answer.error_response().error_code()),
                           answer.error_response().error_message()};
  }
  for (const auto& file : answer.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto f;
    if (!f.ParseFromString(file)) co_return internal_error("the server's answer has a file that is none");
    if (std::ranges::none_of(*found, [&](const auto& known) { return known.name() == f.name(); })) {
      found->push_back(std::move(f));
    }
  }
  co_return status{};
}

void reflected_types::give_up(status) noexcept {
  given_up_ = true;
  if (talk_ != nullptr) talk_->cancel();
}

}  // namespace weft::c
