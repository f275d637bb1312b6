#include <weft/rpc/c/types.hpp>

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <weft/rpc/json.hpp>

namespace weft::c {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::Message;
using google::protobuf::UnknownField;

namespace {

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next < 0x80 || next > 0xbf) return false;
      if (k == 1 && ((first == 0xe0 && next < 0xa0) || (first == 0xed && next > 0x9f) ||
                     (first == 0xf0 && next < 0x90) || (first == 0xf4 && next > 0x8f))) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

// The path of the first field that keeps `bytes` from being a `type`; empty when it is not a field.
std::string malformed_field(const Descriptor& type, std::string_view bytes) {
  google::protobuf::Empty loose;
  if (!loose.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  const auto& fields = loose.GetReflection()->GetUnknownFields(loose);
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& value = fields.field(i);
    const auto* field = type.FindFieldByNumber(value.number());
    if (field == nullptr || value.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    const auto& content = value.length_delimited();
    if (field->type() == FieldDescriptor::TYPE_STRING && !is_utf8(content)) return field->name() + " (no UTF-8)";
    if (field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    google::protobuf::Empty inner;
    if (!inner.ParseFromString(content)) return field->name();
    if (auto below = malformed_field(*field->message_type(), content); !below.empty()) {
      return std::string{field->name()}.append(".").append(below);
    }
  }
  return {};
}

// The path of the first field that keeps `message` from being written as JSON.
std::string unwritable_field(const Message& message) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  for (const auto* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const auto& inner = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                               : reflection.GetMessage(message, field);
      if (weft::to_json(inner).ok()) continue;
      const auto name = field->name() + (field->is_repeated() ? "[" + std::to_string(i) + "]" : "");
      const auto below = unwritable_field(inner);
      return below.empty() ? name : std::string{name}.append(".").append(below);
    }
  }
  return {};
}

}  // namespace

class types::complaints final : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const Message*, ErrorLocation,
                const std::string& message) override {
    if (said.empty()) said = file + ": " + element + ": " + message;
  }
  std::string said;
};

types::types() : pool_{DescriptorPool::generated_pool()}, messages_{&pool_} {
  messages_.SetDelegateToGeneratedFactory(true);
}

const google::protobuf::FileDescriptor* types::known(const std::string& name) const {
  return pool_.FindFileByName(name);
}

bool types::has_file(const std::string& name) const {
  const std::shared_lock lock{mutex_};
  return known(name) != nullptr;
}

status types::add(std::string_view descriptors) {
  google::protobuf::FileDescriptorSet set;
  if (!set.ParseFromArray(descriptors.data(), static_cast<int>(descriptors.size())) || set.file().empty()) {
    return invalid_argument("that is no FileDescriptorSet: protoc --include_imports --descriptor_set_out writes one");
  }
  return add({set.file().begin(), set.file().end()});
}

// What a file imports goes first; one that is missing, or a circle of imports, is left to the pool to complain about.
status types::add(std::vector<FileDescriptorProto> files) {
  const std::unique_lock lock{mutex_};
  std::map<std::string, FileDescriptorProto> left;
  for (auto& f : files) {
    auto name = f.name();
    if (known(name) == nullptr) left.emplace(std::move(name), std::move(f));
  }
  while (!left.empty()) {
    auto next = left.begin();
    for (std::set<std::string> above; above.insert(next->first).second;) {
      for (const auto& import : next->second.dependency()) {
        if (const auto i = left.find(import); i != left.end() && !above.contains(import)) {
          next = i;
          break;
        }
      }
    }
    complaints heard;
    if (pool_.BuildFileCollectingErrors(next->second, &heard) == nullptr) return invalid_argument(heard.said);
    left.erase(next);
  }
  return {};
}

const google::protobuf::MethodDescriptor* types::method(std::string_view path) const {
  const auto name = parse_method_name(path);
  if (!name.ok()) return nullptr;
  const std::shared_lock lock{mutex_};
  const auto* service = pool_.FindServiceByName(std::string{name->service});
  return service != nullptr ? service->FindMethodByName(std::string{name->method}) : nullptr;
}

const Descriptor* types::message(const std::string& name) const {
  const std::shared_lock lock{mutex_};
  return pool_.FindMessageTypeByName(name);
}

std::vector<const google::protobuf::MethodDescriptor*> types::methods_of(const std::string& service) const {
  const std::shared_lock lock{mutex_};
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  const auto* found = pool_.FindServiceByName(service);
  for (int i = 0; found != nullptr && i < found->method_count(); ++i) methods.push_back(found->method(i));
  return methods;
}

result<std::string> types::to_bytes(const Descriptor& type, std::string_view json) const {
  const std::shared_lock lock{mutex_};
  const std::unique_ptr<Message> message{messages_.GetPrototype(&type)->New()};
  if (auto s = from_json(json, *message); !s.ok()) return s;
  if (message->IsInitialized()) return message->SerializeAsString();
  return invalid_argument("a " + message->GetTypeName() + " needs " + message->InitializationErrorString());
}

result<std::string> types::to_json(const Descriptor& type, std::string_view bytes) const {
  const std::shared_lock lock{mutex_};
  const std::unique_ptr<Message> message{messages_.GetPrototype(&type)->New()};
  if (!message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    const auto field = malformed_field(type, bytes);
    return internal_error("what came is no " + type.full_name() + (field.empty() ? "" : ": " + field));
  }
  auto json = weft::to_json(*message);
  if (json.ok()) return json;
  const auto field = unwritable_field(*message);
  return field.empty() ? json.status() : internal_error(field + ": " + json.status().message());
}

}  // namespace weft::c
