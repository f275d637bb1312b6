#include <weft/rpc/reflection.hpp>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <utility>
#include <vector>
#include <weft/rpc/method_name.hpp>

#include "grpc/reflection/v1/reflection.weft.hpp"
#include "grpc/reflection/v1alpha/reflection.weft.hpp"

namespace weft {

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

namespace {

const DescriptorPool& pool() { return *DescriptorPool::generated_pool(); }

// Answers the questions of one stream, in either version's messages.
template <class Request, class Response>
class answerer {
 public:
  explicit answerer(const std::set<std::string>& services) : services_{services} {}

  Response answer(Request& request) {
    Response out;
    out.set_valid_host(request.host());
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        file(pool().FindFileByName(request.file_by_filename()), request.file_by_filename(), out);
        break;
      case Request::kFileContainingSymbol:
        file(pool().FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(), out);
        break;
      case Request::kFileContainingExtension: extension(request.file_containing_extension(), out); break;
      case Request::kAllExtensionNumbersOfType: numbers(request.all_extension_numbers_of_type(), out); break;
      case Request::kListServices:
        for (const auto& name : services_) out.mutable_list_services_response()->add_service()->set_name(name);
        break;
      case Request::MESSAGE_REQUEST_NOT_SET: error(code::invalid_argument, "the request asks for nothing", out); break;
    }
    *out.mutable_original_request() = std::move(request);
    return out;
  }

 private:
  static void error(weft::code c, const std::string& message, Response& out) {
    out.mutable_error_response()->set_error_code(static_cast<int>(c));
    out.mutable_error_response()->set_error_message(message);
  }
  static void unknown(const std::string& what, Response& out) {
    error(code::not_found, "'" + what + "' is not known here", out);
  }

  // What was asked for is always sent, what it imports once a stream.
  void file(const FileDescriptor* found, const std::string& asked, Response& out) {
    if (found == nullptr) return unknown(asked, out);
    sent_.erase(found);
    add(*found, out);
  }
  void add(const FileDescriptor& f, Response& out) {
    if (!sent_.insert(&f).second) return;
    google::protobuf::FileDescriptorProto described;
    f.CopyTo(&described);
    out.mutable_file_descriptor_response()->add_file_descriptor_proto(described.SerializeAsString());
    for (int i = 0; i < f.dependency_count(); ++i) add(*f.dependency(i), out);
  }

  template <class Extension>
  void extension(const Extension& asked, Response& out) {
    const auto* type = pool().FindMessageTypeByName(asked.containing_type());
    const auto* field = type != nullptr ? pool().FindExtensionByNumber(type, asked.extension_number()) : nullptr;
    file(field != nullptr ? field->file() : nullptr,
         asked.containing_type() + "' with the extension '" + std::to_string(asked.extension_number()), out);
  }

  static void numbers(const std::string& type, Response& out) {
    const auto* found = pool().FindMessageTypeByName(type);
    if (found == nullptr) return unknown(type, out);
    std::vector<const FieldDescriptor*> extensions;
    pool().FindAllExtensions(found, &extensions);
    auto& response = *out.mutable_all_extension_numbers_response();
    response.set_base_type_name(type);
    for (const auto* e : extensions) response.add_extension_number(e->number());
    std::ranges::sort(*response.mutable_extension_number());
  }

  const std::set<std::string>& services_;
  std::set<const FileDescriptor*> sent_;
};

template <class Request, class Response>
task<status> answer_all(const std::set<std::string>* services, reader<Request>* in, writer<Response>* out) {
  answerer<Request, Response> answers{*services};
  while (auto request = co_await in->read()) {
    if (auto s = co_await out->write(answers.answer(*request)); !s.ok()) co_return s;
  }
  co_return status{};
}

}  // namespace

reflection::reflection(runtime& rt, service_options options) : rpc_service{rt, options} { offers(*this); }

void reflection::offers(const rpc_service& s) {
  for (const auto& entry : s.methods()) {
    if (const auto name = parse_method_name(entry.info->path); name.ok()) services_.emplace(name->service);
  }
}

std::span<const served_method> reflection::methods() const noexcept {
  static constexpr served_method table[] = {
      detail::served_streaming<reflection, v1::ServerReflectionRequest, v1::ServerReflectionResponse,
                               &reflection::answer_v1, v1::ServerReflection::ServerReflectionInfo_info>::entry,
      detail::served_streaming<reflection, v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse,
                               &reflection::answer_v1alpha,
                               v1alpha::ServerReflection::ServerReflectionInfo_info>::entry,
  };
  return table;
}

task<status> reflection::answer_v1(reader<v1::ServerReflectionRequest>& in, writer<v1::ServerReflectionResponse>& out) {
  return answer_all(&services_, &in, &out);
}
task<status> reflection::answer_v1alpha(reader<v1alpha::ServerReflectionRequest>& in,
                                        writer<v1alpha::ServerReflectionResponse>& out) {
  return answer_all(&services_, &in, &out);
}

}  // namespace weft
