#include "conversation.hpp"

#include <absl/strings/escaping.h>
#include <google/protobuf/descriptor.h>

#include <iostream>
#include <memory>
#include <tuple>
#include <utility>
#include <weft/rpc/json.hpp>
#include <weft/rpc/status_details.hpp>

namespace weft::tool {

using google::protobuf::Message;

conversation::conversation(const arguments& said, const directory& rpc,
                           const google::protobuf::MethodDescriptor& method, std::string name, input& in)
    : said_{said}, rpc_{rpc}, method_{method}, name_{std::move(name)}, in_{in} {}

task<status> conversation::run() {
  const bool streams = method_.client_streaming() || method_.server_streaming();
  status end;
  if (streams) {
    end = co_await streaming();
  } else {
    end = co_await unary();
  }
  if (said_.verbose) {
    for (const auto& detail : details_of(end)) std::cerr << "detail: " << detail.type_url() << "\n";
  }
  co_return end;
}

call_options conversation::options() const {
  const bool streams = method_.client_streaming() || method_.server_streaming();
  const auto otherwise = streams ? duration::max() : call_options::default_limit;
  return within{said_.timeout == duration::zero() ? otherwise : said_.timeout};
}

result<std::string> conversation::to_bytes(const std::string& json) const {
  const std::unique_ptr<Message> message{messages_.GetPrototype(method_.input_type())->New()};
  if (auto s = from_json(json, *message); !s.ok()) return s;
  if (!message->IsInitialized()) {
    return invalid_argument("a " + message->GetTypeName() + " needs " + message->InitializationErrorString());
  }
  return message->SerializeAsString();
}

status conversation::print(const std::string& bytes) const {
  const std::unique_ptr<Message> message{messages_.GetPrototype(method_.output_type())->New()};
  if (!message->ParsePartialFromString(bytes)) return internal_error("a reply is no " + message->GetTypeName());
  const auto json = to_json(*message, said_.style);
  if (!json.ok()) return json.status();
  std::cout << *json << (said_.style == json_style::compact ? "\n" : "") << std::flush;
  return {};
}

void conversation::show(const char* what, const metadata& m) const {
  if (!said_.verbose) return;
  std::cerr << what << ":" << (m.empty() ? " none" : "") << "\n";
  for (const auto& [key, value] : m) {
    std::cerr << "  " << key << ": " << (key.ends_with("-bin") ? absl::Base64Escape(value) : value) << "\n";
  }
}

task<result<std::string>> conversation::only_request() {
  const auto first = co_await in_.next();
  const auto second = co_await in_.next();
  if (second) {
    co_return invalid_argument(method_.full_name() + " takes one request, and there are several");
  }
  co_return to_bytes(first ? *first : "{}");
}

task<status> conversation::unary() {
  const auto request = co_await only_request();
  if (!request.ok()) co_return request.status();
  metadata headers, trailers;
  auto o = options().headers_into(headers).trailers_into(trailers);
  const auto reply = co_await rpc_.call_bytes(name_, *request, std::move(o));
  show("headers", headers);
  auto end = reply.ok() ? print(*reply) : reply.status();
  show("trailers", trailers);
  co_return end;
}

task<status> conversation::streaming() {
  if (!method_.client_streaming()) {
    auto request = co_await only_request();
    if (!request.ok()) co_return request.status();
    auto opened = rpc_.stream(name_, options());
    if (!opened.ok()) co_return opened.status();
    raw_message message{std::move(*request)};
    std::ignore = co_await opened->write(std::move(message));  // the call's end says why it failed
    opened->writes_done();
    co_await receive(&*opened);
  } else {
    auto opened = rpc_.stream(name_, options());
    if (!opened.ok()) co_return opened.status();
    co_await with_scope(&conversation::both_ways, this, &*opened);
  }
  co_return own_.ok() ? end_ : own_;
}

task<> conversation::both_ways(conversation* c, talk* t, scope& both) {
  std::ignore = both.start(c->send(t, &both), "requests");
  co_await both.start(c->receive(t), "replies");
  both.stop();  // whoever still reads requests
}

task<> conversation::send(talk* t, scope* both) {
  while (auto json = co_await in_.next()) {
    auto request = to_bytes(*json);
    if (!request.ok()) {
      own_ = request.status();
      both->stop();  // half of the requests are not what was meant: `receive` cancels the call
      co_return;
    }
    raw_message message{std::move(*request)};
    if (!(co_await t->write(std::move(message))).ok()) co_return;
  }
  t->writes_done();
}

task<> conversation::receive(talk* t) {
  if (said_.verbose) {
    const auto headers = co_await t->headers();
    show("headers", headers);
  }
  while (auto reply = co_await t->read()) {
    own_ = print(reply->bytes);
    if (!own_.ok()) co_return;  // which drops the call
  }
  end_ = co_await t->finish();
  show("trailers", t->trailers());
}

}  // namespace weft::tool
