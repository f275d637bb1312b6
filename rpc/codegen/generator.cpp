#include "generator.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::codegen {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using google::protobuf::io::Printer;
using variables = std::map<std::string, std::string>;

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string without_extension(const std::string& file) {
  const auto dot = file.rfind(".proto");
  return dot == std::string::npos ? file : file.substr(0, dot);
}

std::string namespace_of(const FileDescriptor& file) { return replace_all(file.package(), ".", "::"); }

// As protoc names it: nested messages are joined by underscores.
std::string class_of(const Descriptor& message) {
  std::string name = message.name();
  for (const auto* outer = message.containing_type(); outer != nullptr; outer = outer->containing_type()) {
    name.insert(0, "_").insert(0, outer->name());
  }
  const auto space = namespace_of(*message.file());
  return space.empty() ? "::" + name : "::" + space + "::" + name;
}

// A method may be called like a word of the language, or like a member of every client or service.
std::string identifier(const std::string& name) {
  static constexpr std::string_view taken =
      " alignas and annotate asm assert_here auto bool break call case catch char class client concept const "
      "continue counters default delete do double else enum explicit export extern fake false float for friend "
      "goto if inline int local long methods name namespace new not on_tick operator or owner played_out "
      "plays_on post private protected public register retire retiring return running scripted send service "
      "set_reentrancy short signed sizeof snapshot start static stop stop_and_wait strand struct submit switch "
      "template this throw tick_every true try typedef union unsigned using virtual void volatile wait waiting "
      "while xor ";
  return taken.find(" " + name + " ") == std::string_view::npos ? name : name + "_";
}

enum class kind { unary, server_streaming, client_streaming, bidi_streaming };

kind kind_of(const MethodDescriptor& m) {
  if (m.client_streaming()) return m.server_streaming() ? kind::bidi_streaming : kind::client_streaming;
  return m.server_streaming() ? kind::server_streaming : kind::unary;
}

std::vector<const MethodDescriptor*> methods_of(const ServiceDescriptor& service) {
  std::vector<const MethodDescriptor*> methods;
  for (int i = 0; i < service.method_count(); ++i) methods.push_back(service.method(i));
  return methods;
}

std::vector<const MethodDescriptor*> unary_methods(const ServiceDescriptor& service) {
  auto methods = methods_of(service);
  std::erase_if(methods, [](const auto* m) { return kind_of(*m) != kind::unary; });
  return methods;
}

// The handler's parameters; what it returns.
// In weft::method_kind.
const char* kind_name(kind k) {
  switch (k) {
    case kind::unary: return "unary";
    case kind::server_streaming: return "server_stream";
    case kind::client_streaming: return "client_stream";
    case kind::bidi_streaming: return "bidi_stream";
  }
  return "";
}

const char* handler_parameters(kind k) {
  switch (k) {
    case kind::unary: return "$request$& request";
    case kind::server_streaming: return "$request$& request, weft::writer<$reply$>& replies";
    case kind::client_streaming: return "weft::reader<$request$>& requests";
    case kind::bidi_streaming: return "weft::reader<$request$>& requests, weft::writer<$reply$>& replies";
  }
  return "";
}
const char* handler_returns(kind k) {
  return k == kind::unary || k == kind::client_streaming ? "weft::reply<$reply$>" : "weft::task<weft::status>";
}

// What a streaming method of a client returns; its parameters before the options.
const char* client_returns(kind k) {
  switch (k) {
    case kind::server_streaming: return "weft::client_reader<$request$, $reply$>";
    case kind::client_streaming: return "weft::client_writer<$request$, $reply$>";
    default: return "weft::client_reader_writer<$request$, $reply$>";
  }
}

// The .proto's own comment becomes the docstring.
void print_comment(Printer& out, const std::string& comment, const std::string& otherwise) {
  std::string text = comment.empty() ? otherwise : comment;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = text.substr(at, end - at);
    out.Print("///$space$$line$\n", "space", line.empty() || line.front() == ' ' ? "" : " ", "line", line);
    at = end + 1;
  }
}

std::string comment_of(const google::protobuf::SourceLocation& location) { return location.leading_comments; }

variables describe(const MethodDescriptor& m) {
  return {{"method", identifier(m.name())},
          {"info", m.name() + "_info"},
          {"idempotent", m.options().idempotency_level() != google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN
                             ? "/*idempotent=*/true"
                             : "/*idempotent=*/false"},
          {"kind", kind_name(kind_of(m))},
          {"path", "/" + m.service()->full_name() + "/" + m.name()},
          {"request", class_of(*m.input_type())},
          {"reply", class_of(*m.output_type())}};
}

void print_service(Printer& out, const ServiceDescriptor& service) {
  const auto methods = methods_of(service);
  google::protobuf::SourceLocation location;
  service.GetSourceLocation(&location);
  print_comment(out, comment_of(location), "Service " + service.full_name() + ".");
  const variables v{{"name", service.name()}, {"full", service.full_name()}};
  out.Print(v, "class $name$ {\n"
               " public:\n"
               "  class service;\n"
               "  class client;\n"
               "  class fake;  // in the .weft.fake.hpp, for tests\n"
               "  template <class Fake>\n"
               "  class scripted;\n\n"
               "  static constexpr const char* full_name = \"$full$\";\n");
  for (const auto* m : methods)
    out.Print(describe(*m),
              "  static constexpr weft::method_info $info${\"$path$\", $idempotent$, weft::method_kind::$kind$};\n");
  out.Print("};\n\n");

  out.Print(
      v, "/// Base of what implements $full$: override its methods, which are coroutines on the service's strand. The\n"
         "/// request, or the ends of its streams, are owned by the call until the handler ends; a request may be "
         "changed or\n"
         "/// moved from. A method that is not overridden answers UNIMPLEMENTED.\n"
         "class $name$::service : public weft::rpc_service {\n"
         " public:\n"
         "  explicit service(weft::runtime& rt, weft::service_options options = {.name = full_name})\n"
         "      : rpc_service{rt, options} {}\n\n");
  for (const auto* m : methods) {
    google::protobuf::SourceLocation at;
    m->GetSourceLocation(&at);
    out.Indent();
    print_comment(out, comment_of(at), "");
    out.Print(describe(*m), ("virtual " + std::string{handler_returns(kind_of(*m))} + " $method$(" +
                             handler_parameters(kind_of(*m)) + ");\n")
                                .c_str());
    out.Outdent();
  }
  out.Print("\n"
            "  std::span<const weft::served_method> methods() const noexcept override;\n"
            "};\n\n");

  out.Print(v, "/// Calls $full$, in this process, at a peer, or over a session. One object serves many coroutines; "
               "copies are cheap.\n"
               "class $name$::client {\n"
               " public:\n"
               "  client(weft::binding<service> to) noexcept : to_{to}, send{to} {}\n"
               "  client(service& local) noexcept : client{weft::binding<service>{local}} {}\n"
               "  client(weft::peer& remote) noexcept : client{weft::binding<service>{remote}} {}\n"
               "  client(weft::session_lane lane) noexcept : client{weft::binding<service>{std::move(lane)}} {}\n"
               "  client(const weft::session& s) noexcept : client{s.unordered()} {}\n\n"
               "  /// False when calls leave the process.\n"
               "  bool local() const noexcept { return to_.local(); }\n\n");
  out.Indent();
  for (const auto* m : methods) {
    google::protobuf::SourceLocation at;
    m->GetSourceLocation(&at);
    print_comment(out, comment_of(at), "");
    if (const auto k = kind_of(*m); k != kind::unary) {
      const auto* const request = k == kind::server_streaming ? "$request$ request, " : "";
      out.Print(describe(*m),
                (client_returns(k) + std::string{" $method$("} + request + "weft::call_options options = {}) const;\n")
                    .c_str());
      continue;
    }
    out.Print(describe(*m),
              "weft::call<$reply$> $method$(const $request$& request, weft::call_options options = {}) const;\n"
              "weft::call<$reply$> $method$($request$&& request, weft::call_options options = {}) const;\n");
  }
  out.Outdent();
  out.Print(
      "\n"
      " private:\n"
      "  weft::binding<service> to_;\n\n"
      " public:\n"
      "  /// One way: begins the call and forgets it. The status is that of a refusal known at once. On a worker.\n"
      "  class one_way {\n"
      "   public:\n"
      "    explicit one_way(weft::binding<service> to) noexcept : to_{to} {}\n");
  out.Indent();
  out.Indent();
  for (const auto* m : unary_methods(service)) {
    out.Print(describe(*m), "weft::status $method$($request$ request, weft::call_options options = {}) const;\n");
  }
  out.Outdent();
  out.Outdent();
  out.Print("\n"
            "   private:\n"
            "    weft::binding<service> to_;\n"
            "  };\n"
            "  one_way send;\n"
            "};\n\n");
}

void print_unary(Printer& out, const variables& v) {
  out.Print(
      v, "weft::reply<$reply$> $name$::service::$method$($request$&) {\n"
         "  co_return weft::unimplemented(\"$path$ is not implemented\");\n"
         "}\n\n"
         "weft::call<$reply$> $name$::client::$method$(const $request$& request, weft::call_options options) const {\n"
         "  return to_.make<$reply$>($info$, &service::$method$, request, std::move(options));\n"
         "}\n\n"
         "weft::call<$reply$> $name$::client::$method$($request$&& request, weft::call_options options) const {\n"
         "  return to_.make<$reply$>($info$, &service::$method$, std::move(request), std::move(options));\n"
         "}\n\n"
         "weft::status $name$::client::one_way::$method$($request$ request, weft::call_options options) const {\n"
         "  return to_.make<$reply$>($info$, &service::$method$, std::move(request), std::move(options)).send();\n"
         "}\n\n");
}

void print_streaming(Printer& out, const variables& v, kind k) {
  // Unused parameters have no names.
  auto parameters = replace_all(handler_parameters(k), "& requests", "&");
  parameters = replace_all(replace_all(parameters, "& request", "&"), "& replies", "&");
  const bool asks = k == kind::server_streaming;
  out.Print(v, (handler_returns(k) + std::string{" $name$::service::$method$("} + parameters + ") {\n" +
                "  co_return weft::unimplemented(\"$path$ is not implemented\");\n"
                "}\n\n" +
                client_returns(k) + " $name$::client::$method$(" + (asks ? "$request$ request, " : "") +
                "weft::call_options options) const {\n"
                "  return {to_.stream<$request$, $reply$>($info$, &service::$method$), " +
                (asks ? "std::move(request), " : "") + "std::move(options)};\n}\n\n")
                   .c_str());
}

void print_definitions(Printer& out, const ServiceDescriptor& service) {
  const auto methods = methods_of(service);
  for (const auto* m : methods) {
    auto v = describe(*m);
    v["name"] = service.name();
    if (kind_of(*m) == kind::unary) {
      print_unary(out, v);
    } else {
      print_streaming(out, v, kind_of(*m));
    }
  }
  out.Print("std::span<const weft::served_method> $name$::service::methods() const noexcept {\n", "name",
            service.name());
  if (methods.empty()) {
    out.Print("  return {};\n}\n\n");
    return;
  }
  out.Print("  static constexpr weft::served_method table[] = {\n");
  for (const auto* m : methods) {
    auto v = describe(*m);
    v["served"] = kind_of(*m) == kind::unary ? "served" : "served_streaming";
    out.Print(v, "      weft::detail::$served$<service, $request$, $reply$, &service::$method$, $info$>::entry,\n");
  }
  out.Print("  };\n  return table;\n}\n\n");
}

// A member may be called like a method of its class's base, not like one of its own: hence two classes. Methods that stream
// are left to whoever derives from the service itself.
void print_fake(Printer& out, const ServiceDescriptor& service) {
  const auto methods = unary_methods(service);
  const variables v{{"name", service.name()}, {"full", service.full_name()}};
  out.Print(v, "// Hands the calls to the scripts of a fake.\n"
               "template <class Fake>\n"
               "class $name$::scripted : public $name$::service {\n"
               " public:\n"
               "  using service::service;\n\n");
  for (const auto* m : methods) {
    out.Print(describe(*m), "  weft::reply<$reply$> $method$($request$& request) override {\n"
                            "    return static_cast<Fake&>(*this).$method$.play(request);\n"
                            "  }\n");
  }
  out.Print("};\n\n");
  out.Print(v, "/// A $full$ for tests, which answers as its scripts say: a client binds to it as to any service.\n"
               "class $name$::fake final : public $name$::scripted<$name$::fake> {\n"
               " public:\n"
               "  explicit fake(weft::runtime& rt, weft::service_options options = {.name = full_name})\n"
               "      : scripted{rt, options} {}\n"
               "  ~fake() override { weft::test::detail::end(*this); }\n\n");
  for (const auto* m : methods) {
    out.Print(describe(*m), "  weft::test::script<$request$, $reply$> $method${$info$.path};\n");
  }
  out.Print("};\n\n");
}

void print_file(google::protobuf::compiler::GeneratorContext& context, const FileDescriptor& file,
                const std::string& name, const std::vector<std::string>& includes,
                void (*print)(Printer&, const ServiceDescriptor&)) {
  const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> stream{context.Open(name)};
  Printer out{stream.get(), '$'};
  out.Print("// Generated by protoc-gen-weft from $file$. Do not edit.\n", "file", file.name());
  if (name.ends_with(".hpp")) out.Print("#pragma once\n");
  for (const auto& include : includes) out.Print("#include $include$\n", "include", include);
  out.Print("\n");
  const auto space = namespace_of(file);
  if (!space.empty()) out.Print("namespace $space$ {\n\n", "space", space);
  for (int i = 0; i < file.service_count(); ++i) print(out, *file.service(i));
  if (!space.empty()) out.Print("}  // namespace $space$\n", "space", space);
}

}  // namespace

bool generator::Generate(const FileDescriptor* file, const std::string& parameter,
                         google::protobuf::compiler::GeneratorContext* context, std::string* error) const {
  if (!parameter.empty()) {
    *error = "protoc-gen-weft takes no parameter, but got '" + parameter + "'";
    return false;
  }
  const auto base = without_extension(file->name());
  print_file(*context, *file, base + ".weft.hpp",
             {"<span>", "<weft/rpc/client.hpp>", "<weft/rpc/rpc_service.hpp>", "\"" + base + ".pb.h\""}, print_service);
  print_file(*context, *file, base + ".weft.fake.hpp", {"<weft/test/script.hpp>", "\"" + base + ".weft.hpp\""},
             print_fake);
  print_file(*context, *file, base + ".weft.cpp", {"\"" + base + ".weft.hpp\"", "<utility>"}, print_definitions);
  return true;
}

}  // namespace weft::codegen
