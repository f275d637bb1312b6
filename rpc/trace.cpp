#include <weft/rpc/trace.hpp>

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <weft/runtime/context.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/sleep.hpp>

namespace weft {
namespace {

constexpr const char* parent_key = "traceparent";
constexpr const char* state_key = "tracestate";

constexpr std::string_view digits = "0123456789abcdef";
constexpr std::size_t trace_digits = 32, span_digits = 16;
// "00-<trace>-<span>-01": where each part begins, and the length of all.
constexpr std::size_t trace_at = 3, span_at = trace_at + trace_digits + 1, flags_at = span_at + span_digits + 1,
                      length = flags_at + 2;

bool hexadecimal(std::string_view text) noexcept { return text.find_first_not_of(digits) == std::string_view::npos; }
bool all_zero(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

// Two digits a byte. From the kernel: ids of several processes must differ.
std::string random_digits(std::size_t count) {
  std::array<unsigned char, trace_digits / 2> bytes{};
  std::string text;
  do {
    static_cast<void>(!getrandom(bytes.data(), count / 2, 0));  // so few bytes always come whole
    text.clear();
    for (std::size_t i = 0; i < count / 2; ++i) {
      text += digits[bytes[i] >> 4U];
      text += digits[bytes[i] & 15U];
    }
  } while (all_zero(text));
  return text;
}

// The value of a key that came once: twice is malformed.
std::string_view only(const metadata& m, std::string_view key) {
  std::string_view found;
  int times = 0;
  for (const auto& e : m) {
    if (e.key != key) continue;
    found = e.value;
    ++times;
  }
  return times == 1 ? found : std::string_view{};
}

// Lists that came in several pieces are one.
std::string joined(const metadata& m, std::string_view key) {
  std::string all;
  for (const auto& e : m) {
    if (e.key == key) all.append(all.empty() ? "" : ",").append(e.value);
  }
  return all;
}

std::string annotation(const context& ctx, std::string_view wanted) {
  std::string found;
  ctx.for_each_annotation([&](std::string_view key, std::string_view value) {
    if (key == wanted) found = value;
  });
  return found;
}

task<status> serve_in_trace(incoming& call, rest_of_call next, trace_options options) {
  const auto came = trace_context::parse(only(call.metadata(), parent_key));
  const auto own = came ? came->child() : trace_context::begin(options.sample_new);
  auto& ctx = co_await current();
  ctx.annotate(parent_key, own.to_string());
  if (came) {  // what a vendor said of a trace that is not known is of no use
    if (auto state = joined(call.metadata(), state_key); !state.empty()) ctx.annotate(state_key, std::move(state));
  }
  auto s = co_await next();
  co_return s;
}

task<status> call_in_trace(outgoing& call, rest_of_call next, trace_options options) {
  if (call.metadata().find(parent_key) == nullptr) {
    const auto& ctx = co_await current();
    const auto above = trace_of(ctx);
    call.metadata().add(parent_key, (above ? above->child() : trace_context::begin(options.sample_new)).to_string());
    auto state = above ? annotation(ctx, state_key) : std::string{};
    if (!state.empty() && call.metadata().find(state_key) == nullptr) call.metadata().add(state_key, std::move(state));
  }
  auto s = co_await next();
  co_return s;
}

}  // namespace

trace_context trace_context::begin(bool sampled) {
  return {random_digits(trace_digits), random_digits(span_digits), sampled};
}

std::optional<trace_context> trace_context::parse(std::string_view text) {
  if (text.size() < length || text[trace_at - 1] != '-' || text[span_at - 1] != '-' || text[flags_at - 1] != '-') {
    return std::nullopt;
  }
  const auto version = text.substr(0, 2);
  const auto trace = text.substr(trace_at, trace_digits);
  const auto span = text.substr(span_at, span_digits);
  const auto flags = text.substr(flags_at, 2);
  if (!hexadecimal(version) || !hexadecimal(trace) || !hexadecimal(span) || !hexadecimal(flags)) return std::nullopt;
  if (version == "ff" || all_zero(trace) || all_zero(span)) return std::nullopt;
  if (text.size() > length && (version == "00" || text[length] != '-')) return std::nullopt;
  return trace_context{std::string{trace}, std::string{span}, digits.find(flags[1]) % 2 == 1};
}

trace_context trace_context::child() const { return {trace_id, random_digits(span_digits), sampled}; }

std::string trace_context::to_string() const { return "00-" + trace_id + "-" + parent_id + (sampled ? "-01" : "-00"); }

std::optional<trace_context> trace_of(const context& ctx) { return trace_context::parse(annotation(ctx, parent_key)); }

server_middleware trace_incoming(trace_options options) {
  return [options](incoming& call, rest_of_call next) { return serve_in_trace(call, next, options); };
}

client_middleware trace_outgoing(trace_options options) {
  return [options](outgoing& call, rest_of_call next) { return call_in_trace(call, next, options); };
}

}  // namespace weft
