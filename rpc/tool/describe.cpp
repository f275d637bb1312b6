#include "describe.hpp"

#include <google/protobuf/descriptor.h>

namespace weft::tool {
namespace {

template <class Descriptor>
std::string show(const char* what, const Descriptor& d) {
  google::protobuf::DebugStringOptions options;
  options.include_comments = true;
  return "// " + d.full_name() + ": " + what + ", in " + d.file()->name() + "\n" + d.DebugStringWithOptions(options);
}

}  // namespace

result<std::string> describe(const google::protobuf::DescriptorPool& pool, const std::string& symbol) {
  if (const auto* s = pool.FindServiceByName(symbol)) return show("a service", *s);
  if (const auto* m = pool.FindMethodByName(symbol)) {
    auto text = show("a method", *m) + "\n" + show("its request", *m->input_type());
    if (m->input_type() != m->output_type()) text += "\n" + show("its reply", *m->output_type());
    return text;
  }
  if (const auto* m = pool.FindMessageTypeByName(symbol)) return show("a message", *m);
  if (const auto* e = pool.FindEnumTypeByName(symbol)) return show("an enum", *e);
  if (const auto* v = pool.FindEnumValueByName(symbol)) return show("an enum", *v->type());
  if (const auto* f = pool.FindFieldByName(symbol)) return show("a field", *f);
  if (const auto* f = pool.FindExtensionByName(symbol)) return show("an extension", *f);
  return not_found("'" + symbol + "' is not known");
}

}  // namespace weft::tool
