#pragma once
#include <google/protobuf/dynamic_message.h>

#include <optional>
#include <string>
#include <weft/rpc/directory.hpp>
#include <weft/runtime/scope.hpp>

#include "arguments.hpp"
#include "input.hpp"

namespace weft::tool {

/// One call of a method of any kind: requests from the input, replies to stdout, metadata to stderr.
class conversation {
 public:
  /// `rpc` knows the method's service; `name` is the method's as it is written there.
  conversation(const arguments& said, const directory& rpc, const google::protobuf::MethodDescriptor& method,
               std::string name, input& in);

  /// What the call ended with. INVALID_ARGUMENT too when a request is no such message, or there are several and the method
  /// takes one: nothing is called then, or the call is cancelled.
  task<status> run();

 private:
  using talk = client_reader_writer<raw_message, raw_message>;

  task<status> unary();
  task<status> streaming();
  static task<> both_ways(conversation* c, talk* t, scope& both);
  task<> send(talk* t, scope* both);
  task<> receive(talk* t);

  call_options options() const;
  task<result<std::string>> only_request();
  result<std::string> to_bytes(const std::string& json) const;
  status print(const std::string& bytes) const;
  void show(const char* what, const metadata& m) const;

  const arguments& said_;
  const directory& rpc_;
  const google::protobuf::MethodDescriptor& method_;
  const std::string name_;
  input& in_;
  mutable google::protobuf::DynamicMessageFactory messages_;
  status own_;  // what went wrong on this side
  status end_;
};

}  // namespace weft::tool
