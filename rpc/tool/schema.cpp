#include "schema.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <utility>

#include "grpc/reflection/v1/reflection.pb.h"

namespace weft::tool {
namespace {

// Both versions have the same messages. Old servers have the second only.
constexpr std::string_view versions[] = {"grpc.reflection.v1.ServerReflection",
                                         "grpc.reflection.v1alpha.ServerReflection"};

}  // namespace

// What is wrong with files that were found.
class schema::complaints final : public google::protobuf::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    std::cerr << "weft: " << file << ": " << element << ": " << message << "\n";
  }
};

schema::schema()
    : linked_in_{*google::protobuf::DescriptorPool::generated_pool()},
      both_{&described_, &linked_in_},
      complaints_{std::make_unique<complaints>()},
      pool_{&both_, complaints_.get()} {}
schema::~schema() = default;

status schema::load(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  google::protobuf::FileDescriptorSet set;
  if (!in) return invalid_argument("cannot read '" + file + "'");
  if (!set.ParseFromIstream(&in)) return invalid_argument("'" + file + "' is no file of descriptors");
  for (const auto& f : set.file()) {
    if (files_.insert(f.name()).second) described_.Add(f);
  }
  return {};
}

void schema::ask(peer& server, duration limit) {
  from_server_ = true;
  limit_ = limit;
  for (const auto version : versions) reflection_.add(version, server);
}

task<result<schema::answer>> schema::ask_once(std::string_view method, std::string request) const {
  auto opened = reflection_.stream(method, within{limit_});
  if (!opened.ok()) co_return opened.status();
  auto& talk = *opened;
  raw_message message{std::move(request)};
  const auto written = co_await talk.write(std::move(message));
  auto reply = co_await talk.read();
  const auto end = co_await talk.finish();
  if (!reply) co_return end.ok() ? internal_error("the server did not answer") : end;
  answer a;
  if (!a.ParseFromString(reply->bytes)) co_return internal_error("the server's answer is no ServerReflectionResponse");
  if (a.has_error_response()) {
    const auto& e = a.error_response();
    co_return weft::status{static_cast<code>(e.error_code()), e.error_message()};
  }
  co_return a;
}

task<result<schema::answer>> schema::ask(question q) {
  const auto request = q.SerializeAsString();
  if (!method_.empty()) co_return co_await ask_once(method_, request);
  for (const auto version : versions) {
    const auto method = std::string{version} + "/ServerReflectionInfo";
    auto a = co_await ask_once(method, request);
    if (a.code() == code::unimplemented) continue;
    method_ = method;
    co_return a;
  }
  co_return unimplemented("the server has no reflection: give its .proto files by --descriptors");
}

task<result<std::vector<std::string>>> schema::services() {
  std::vector<std::string> names;
  if (from_server_) {
    question q;
    q.set_list_services("");
    const auto a = co_await ask(std::move(q));
    if (!a.ok()) co_return a.status();
    for (const auto& s : a->list_services_response().service()) names.push_back(s.name());
  } else {
    for (const auto& file : files_) {
      const auto* described = pool_.FindFileByName(file);
      for (int i = 0; described != nullptr && i < described->service_count(); ++i) {
        names.push_back(described->service(i)->full_name());
      }
    }
  }
  std::ranges::sort(names);
  co_return names;
}

void schema::add(const answer& a, std::vector<std::string>& imports) {
  for (const auto& bytes : a.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto f;
    if (!f.ParseFromString(bytes) || !files_.insert(f.name()).second) continue;
    imports.insert(imports.end(), f.dependency().begin(), f.dependency().end());
    described_.Add(f);
  }
}

bool schema::knows(const std::string& symbol) const { return pool_.FindFileContainingSymbol(symbol) != nullptr; }

// The pool remembers what it did not find, so it is asked when everything is there.
task<status> schema::find(std::string symbol) {
  if (from_server_) {
    question q;
    q.set_file_containing_symbol(symbol);
    const auto a = co_await ask(std::move(q));
    if (!a.ok()) co_return a.status();
    std::vector<std::string> imports;
    add(*a, imports);
    while (!imports.empty()) {
      const auto file = std::move(imports.back());
      imports.pop_back();
      google::protobuf::FileDescriptorProto known;
      if (files_.contains(file) || linked_in_.FindFileByName(file, &known)) continue;
      question next;
      next.set_file_by_filename(file);
      const auto more = co_await ask(std::move(next));
      if (!more.ok()) co_return more.status();
      add(*more, imports);
      files_.insert(file);  // whatever its name in there is
    }
  }
  co_return knows(symbol) ? status{} : not_found("'" + symbol + "' is not known");
}

}  // namespace weft::tool
