#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <weft/rpc/session/batch_reader.hpp>

#include "lax.pb.h"

// What a batch says, told by weft's own reader and by protobuf's parser, to be compared.

namespace test {

/// The parts of batches as a reader tells them.
class heard_parts : public weft::detail::batch_parts {
 public:
  lax::v1::Batch all;  ///< What was told, as if it were one batch.
  std::string order;   ///< A letter for each part, as session.proto orders them: "awfcrxpqg".

  weft::status got_attach(const weft::detail::attach_frame& a) override {
    order += 'a';
    auto& to = *all.mutable_attach();
    to.set_oldest_version(static_cast<std::uint32_t>(a.oldest_version));
    to.set_newest_version(static_cast<std::uint32_t>(a.newest_version));
    set(*to.mutable_window(), a.window);
    to.set_batch_bytes(a.batch_bytes);
    return {};
  }
  weft::status got_window(const weft::detail::session_window& w) override {
    order += 'w';
    set(*all.mutable_window(), w);
    return {};
  }
  weft::status got_forget(std::uint64_t key) override {
    order += 'f';
    all.add_forget(key);
    return {};
  }
  weft::status got_call(const weft::detail::call_frame& c) override {
    order += 'c';
    auto& to = *all.add_calls();
    to.set_id(c.id);
    to.set_method(static_cast<std::uint32_t>(c.method));
    to.set_path(std::string{c.path});
    to.set_request(std::string{c.request});
    to.set_limit_us(c.limit_us);
    to.set_key(c.key);
    to.set_gapless(c.gapless);
    if (c.metadata.any) add(*to.mutable_metadata(), c.metadata);
    return {};
  }
  weft::status got_reply(const weft::detail::reply_frame& r) override {
    order += 'r';
    auto& to = *all.add_replies();
    to.set_id(r.id);
    to.set_code(static_cast<std::uint32_t>(r.code));
    to.set_reply(std::string{r.reply});
    to.set_message(std::string{r.message});
    to.set_details(std::string{r.details});
    to.set_not_run(r.not_run);
    if (r.headers.any) add(*to.mutable_headers(), r.headers);
    if (r.trailers.any) add(*to.mutable_trailers(), r.trailers);
    return {};
  }
  weft::status got_cancel(std::uint64_t id) override {
    order += 'x';
    all.add_cancels(id);
    return {};
  }
  weft::status got_ping(std::uint64_t number) override {
    order += 'p';
    all.set_ping(number);
    return {};
  }
  weft::status got_pong(std::uint64_t number) override {
    order += 'q';
    all.set_pong(number);
    return {};
  }
  weft::status got_go_away(std::uint64_t last_id) override {
    order += 'g';
    all.mutable_go_away()->set_last_id(last_id);
    return {};
  }

 private:
  static void set(lax::v1::Window& to, const weft::detail::session_window& w) {
    to.set_calls(w.calls);
    to.set_bytes(w.bytes);
  }
  static void add(google::protobuf::RepeatedPtrField<lax::v1::Entry>& to, const weft::detail::entries_view& from) {
    for (const auto& [key, value] : weft::detail::read_entries(from)) {
      auto& e = *to.Add();
      e.set_key(key);
      e.set_value(value);
    }
  }
};

/// The order in which the parts of a batch are to be told.
inline std::string order_of(const lax::v1::Batch& b) {
  const auto n = [](int count) { return static_cast<std::size_t>(count); };
  std::string order;
  if (b.has_attach()) order += 'a';
  if (b.has_window()) order += 'w';
  order.append(n(b.forget_size()), 'f').append(n(b.calls_size()), 'c').append(n(b.replies_size()), 'r');
  order.append(n(b.cancels_size()), 'x');
  if (b.ping() != 0) order += 'p';
  if (b.pong() != 0) order += 'q';
  if (b.has_go_away()) order += 'g';
  return order;
}

/// A parsed batch as `heard_parts` would have it: without what is not known, keys of metadata in lower case, and an attach
/// without a window the same as one whose window is empty.
inline lax::v1::Batch plain(lax::v1::Batch b) {
  const auto lower = [](google::protobuf::RepeatedPtrField<lax::v1::Entry>& entries) {
    for (auto& e : entries) {
      std::ranges::transform(*e.mutable_key(), e.mutable_key()->begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    }
  };
  b.DiscardUnknownFields();
  if (b.has_attach()) b.mutable_attach()->mutable_window();
  for (auto& c : *b.mutable_calls()) lower(*c.mutable_metadata());
  for (auto& r : *b.mutable_replies()) {
    lower(*r.mutable_headers());
    lower(*r.mutable_trailers());
  }
  return b;
}

}  // namespace test
