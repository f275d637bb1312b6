#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <weft/rpc/middleware.hpp>

namespace weft {

class context;

/// Which trace something is part of: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/), header
/// `traceparent`.
struct trace_context {
  std::string trace_id;   ///< 32 lower-case hexadecimal digits, not all zero.
  std::string parent_id;  ///< 16 of them: the span, a call or what serves one, that this is part of.
  bool sampled = false;   ///< The caller may have recorded it.

  /// A new trace, with random ids.
  static trace_context begin(bool sampled);
  /// Empty when it is none. Of versions after 00, what they have in common with it.
  static std::optional<trace_context> parse(std::string_view traceparent);
  /// The same trace, in a span of its own.
  trace_context child() const;
  /// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".
  std::string to_string() const;

  friend bool operator==(const trace_context&, const trace_context&) = default;
};

/// The trace of a task: that of the call which it serves, or is part of. Empty where `trace_incoming` has not been.
std::optional<trace_context> trace_of(const context& ctx);

struct trace_options {
  bool sample_new = true;  ///< What a trace that begins here says about itself.
};

/// Server middleware: each call gets a span of its own in its caller's trace, or in a new one when the caller sends none or
/// one that is malformed. It is annotated as `traceparent`: lines that the handler logs carry it, and so do the handlers that
/// it calls in this process.
server_middleware trace_incoming(trace_options options = {});

/// Client middleware: each call carries a span of its own in the trace of the task that makes it, with the `tracestate` that
/// came, or in a new one. Metadata of the same key that the caller gave win.
client_middleware trace_outgoing(trace_options options = {});

}  // namespace weft
