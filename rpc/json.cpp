#include <weft/rpc/json.hpp>

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

namespace weft {

// protobuf's string views and statuses have other types from release to release; their data() and message() stay.
result<std::string> to_json(const google::protobuf::Message& message, json_style style) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = style == json_style::pretty;
  std::string json;
  const auto written = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (written.ok()) return json;
  return internal_error(message.GetTypeName() + " cannot be written as JSON: " +
                        std::string{written.message().data(), written.message().size()});
}

status from_json(std::string_view json, google::protobuf::Message& into) {
  const auto read = google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &into);
  if (read.ok()) return {};
  return invalid_argument("that JSON is no " + into.GetTypeName() + ": " +
                          std::string{read.message().data(), read.message().size()});
}

}  // namespace weft
