#include <weft/rpc/session/batch_writer.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <string_view>
#include <utility>
#include <weft/rpc/session/protobuf_wire.hpp>

namespace weft::detail {
namespace {

using namespace protobuf_wire;  // NOLINT(google-build-using-namespace): this file is about nothing else

std::size_t size_of_varint(std::uint64_t v) noexcept {
  return (static_cast<std::size_t>(std::bit_width(v | 1U)) + 6) / 7;
}
std::uint8_t* put_varint(std::uint8_t* at, std::uint64_t v) noexcept {
  constexpr std::uint64_t more = 0x80;
  while (v >= more) {
    *at++ = static_cast<std::uint8_t>(v | more);
    v >>= 7U;
  }
  *at++ = static_cast<std::uint8_t>(v);
  return at;
}

// As proto3 has it, what is zero or empty is left out.
std::size_t size_of_number(std::uint64_t v) noexcept { return v == 0 ? 0 : 1 + size_of_varint(v); }
std::size_t size_of_bytes(std::size_t n) noexcept { return n == 0 ? 0 : 1 + size_of_varint(n) + n; }

std::uint8_t* put_number(std::uint8_t* at, unsigned field, std::uint64_t v) noexcept {
  if (v == 0) return at;
  *at++ = tag(field, varint);
  return put_varint(at, v);
}
std::uint8_t* put_length(std::uint8_t* at, unsigned field, std::size_t n) noexcept {
  *at++ = tag(field, bytes);
  return put_varint(at, n);
}
std::uint8_t* put_bytes(std::uint8_t* at, unsigned field, std::string_view b) noexcept {
  if (b.empty()) return at;
  at = put_length(at, field, b.size());
  std::memcpy(at, b.data(), b.size());
  return at + b.size();
}

std::size_t size_of_entry(const metadata::entry& e) noexcept {
  return size_of_bytes(e.key.size()) + size_of_bytes(e.value.size());
}
std::size_t size_of_entries(const metadata* m) noexcept {
  if (m == nullptr) return 0;
  std::size_t sum = 0;
  for (const auto& e : *m) {
    const auto n = size_of_entry(e);
    sum += 1 + size_of_varint(n) + n;
  }
  return sum;
}
std::uint8_t* put_entries(std::uint8_t* at, unsigned field, const metadata* m) noexcept {
  if (m == nullptr) return at;
  for (const auto& e : *m) {
    at = put_length(at, field, size_of_entry(e));
    at = put_bytes(at, 1, e.key);
    at = put_bytes(at, 2, e.value);
  }
  return at;
}

std::size_t body_of(const call_frame& c, const metadata* sent) noexcept {
  return size_of_number(c.id) + size_of_number(c.method) + size_of_bytes(c.path.size()) +
         size_of_bytes(c.request.size()) + size_of_number(c.limit_us) + size_of_number(c.key) + (c.gapless ? 2 : 0) +
         size_of_entries(sent);
}
std::size_t framed(std::size_t body) noexcept { return 1 + size_of_varint(body) + body; }

std::size_t body_of_reply(std::uint64_t id, std::size_t n, const metadata* headers, const metadata* trailers) noexcept {
  return size_of_number(id) + size_of_bytes(n) + size_of_entries(headers) + size_of_entries(trailers);
}

std::size_t body_of_error(std::uint64_t id, const status& why, bool not_run, const metadata* headers,
                          const metadata* trailers) noexcept {
  return size_of_number(id) + size_of_number(static_cast<std::uint64_t>(why.code())) +
         size_of_bytes(why.message().size()) + size_of_bytes(why.details().size()) + (not_run ? 2 : 0) +
         size_of_entries(headers) + size_of_entries(trailers);
}

std::size_t body_of(const session_window& w) noexcept { return size_of_number(w.calls) + size_of_number(w.bytes); }
std::uint8_t* put_window(std::uint8_t* at, unsigned field, const session_window& w) noexcept {
  at = put_length(at, field, body_of(w));
  at = put_number(at, 1, w.calls);
  return put_number(at, 2, w.bytes);
}

constexpr std::size_t small_request = 64;
// Its frame, with four numbers of ten bytes, one of five, and a tag for each.
constexpr std::size_t most_of_small_call = 2 + (2 + small_request) + 3 * 11 + 6 + 2;
static_assert(most_of_small_call - 2 < 0x80, "the length has one byte");

constexpr std::size_t small_reply_message = 64;
// Its frame, with one number of ten bytes.
constexpr std::size_t most_of_small_reply = 2 + 11 + (2 + small_reply_message);
static_assert(most_of_small_reply - 2 < 0x80, "the length has one byte");

}  // namespace

void raw_bytes::reserve(std::size_t needed) {
  constexpr std::size_t least = 1'024;
  const auto capacity = std::max({needed, capacity_ * 2, least});
  std::unique_ptr<std::uint8_t[]> larger{new std::uint8_t[capacity]};
  if (size_ != 0) std::memcpy(larger.get(), bytes_.get(), size_);
  bytes_ = std::move(larger);
  capacity_ = capacity;
}

raw_bytes batch_writer::next(answer_count& answers) {
  raw_bytes oldest;
  if (full_.empty()) {
    oldest = std::exchange(open_, std::exchange(spare_, raw_bytes{}));
    answers = std::exchange(open_answers_, {});
  } else {
    oldest = std::move(full_.front().bytes);
    answers = full_.front().answers;
    full_.pop_front();
  }
  waiting_ -= oldest.size();
  return oldest;
}

void batch_writer::reuse(raw_bytes done) noexcept {
  done.clear();
  spare_ = std::move(done);
}

void batch_writer::close_open() {
  full_.push_back({std::exchange(open_, std::exchange(spare_, raw_bytes{})), std::exchange(open_answers_, {})});
}

inline void batch_writer::make_room(std::size_t n) {
  if (open_.size() + n > batch_target && !open_.empty()) [[unlikely]]
    close_open();
}

std::uint8_t* batch_writer::add(std::size_t n) {
  make_room(n);
  waiting_ += n;
  return open_.grow(n);
}

void batch_writer::number(std::uint8_t t, std::uint64_t value) {
  auto* at = add(1 + size_of_varint(value));
  *at++ = t;
  put_varint(at, value);
}

void batch_writer::packed_number(std::uint8_t t, std::uint64_t value) {
  const auto n = size_of_varint(value);
  auto* at = add(2 + n);
  *at++ = t;
  *at++ = static_cast<std::uint8_t>(n);
  put_varint(at, value);
}

void batch_writer::attach(const attach_frame& a) {
  const auto body = size_of_number(a.oldest_version) + size_of_number(a.newest_version) + framed(body_of(a.window)) +
                    size_of_number(a.batch_bytes);
  auto* at = put_length(add(framed(body)), 1, body);
  at = put_number(at, 1, a.oldest_version);
  at = put_number(at, 2, a.newest_version);
  at = put_window(at, 3, a.window);
  put_number(at, 4, a.batch_bytes);
}

std::size_t batch_writer::size_of(const call_frame& c, const metadata* sent) noexcept {
  return framed(body_of(c, sent));
}

// Most calls are small: such a one is written without being measured before, since its length has one byte.
void batch_writer::small_call(const call_frame& c) {
  make_room(most_of_small_call);
  auto* const start = open_.room(most_of_small_call);
  auto* at = put_number(start + 2, 1, c.id);
  at = put_number(at, 2, c.method);
  at = put_bytes(at, 4, c.request);
  at = put_number(at, 5, c.limit_us);
  at = put_number(at, 6, c.key);
  at = put_number(at, 7, c.gapless ? 1 : 0);
  start[0] = tag(2, bytes);
  start[1] = static_cast<std::uint8_t>(at - start - 2);
  const auto n = static_cast<std::size_t>(at - start);
  open_.grow(n);
  waiting_ += n;
}

void batch_writer::call(const call_frame& c, const metadata* sent) {
  if (sent == nullptr && c.path.empty() && c.request.size() <= small_request) return small_call(c);
  const auto body = body_of(c, sent);
  auto* at = put_length(add(framed(body)), 2, body);
  at = put_number(at, 1, c.id);
  at = put_number(at, 2, c.method);
  at = put_bytes(at, 3, c.path);
  at = put_bytes(at, 4, c.request);
  at = put_number(at, 5, c.limit_us);
  at = put_number(at, 6, c.key);
  at = put_number(at, 7, c.gapless ? 1 : 0);
  put_entries(at, 8, sent);
}

std::size_t batch_writer::size_of_reply(std::uint64_t id, std::size_t n, const metadata* headers,
                                        const metadata* trailers) noexcept {
  return framed(body_of_reply(id, n, headers, trailers));
}

// As small_call.
std::uint8_t* batch_writer::small_reply(std::uint64_t id, std::size_t n) {
  make_room(most_of_small_reply);
  auto* const start = open_.room(most_of_small_reply);
  auto* at = put_number(start + 2, 1, id);
  if (n != 0) at = put_length(at, 3, n);
  const auto framed = static_cast<std::size_t>(at - start) + n;
  start[0] = tag(3, bytes);
  start[1] = static_cast<std::uint8_t>(framed - 2);
  open_.grow(framed);
  waiting_ += framed;
  return at;
}

std::uint8_t* batch_writer::reply(std::uint64_t id, std::size_t n, const metadata* headers, const metadata* trailers) {
  if (headers == nullptr && trailers == nullptr && n <= small_reply_message) return small_reply(id, n);
  const auto body = body_of_reply(id, n, headers, trailers);
  auto* at = put_length(add(framed(body)), 3, body);
  at = put_number(at, 1, id);
  at = put_entries(at, 7, headers);
  at = put_entries(at, 8, trailers);
  return n == 0 ? at : put_length(at, 3, n);
}

std::size_t batch_writer::size_of_error(std::uint64_t id, const status& why, bool not_run, const metadata* headers,
                                        const metadata* trailers) noexcept {
  return framed(body_of_error(id, why, not_run, headers, trailers));
}

void batch_writer::error(std::uint64_t id, const status& why, bool not_run, const metadata* headers,
                         const metadata* trailers) {
  const auto body = body_of_error(id, why, not_run, headers, trailers);
  auto* at = put_length(add(framed(body)), 3, body);
  at = put_number(at, 1, id);
  at = put_number(at, 2, static_cast<std::uint64_t>(why.code()));
  at = put_bytes(at, 4, why.message());
  at = put_bytes(at, 5, why.details());
  at = put_number(at, 6, not_run ? 1 : 0);
  at = put_entries(at, 7, headers);
  put_entries(at, 8, trailers);
}

void batch_writer::cancel(std::uint64_t id) { packed_number(tag(4, bytes), id); }
void batch_writer::window(const session_window& w) { put_window(add(framed(body_of(w))), 5, w); }
void batch_writer::ping(std::uint64_t n) { number(tag(6, varint), n); }
void batch_writer::pong(std::uint64_t n) {
  number(tag(7, varint), n);
  ++open_answers_.pings;
}
void batch_writer::go_away(std::uint64_t last_id) {
  const auto body = size_of_number(last_id);
  put_number(put_length(add(framed(body)), 8, body), 1, last_id);
}
void batch_writer::forget(std::uint64_t key) { packed_number(tag(9, bytes), key); }

}  // namespace weft::detail
