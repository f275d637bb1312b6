// What a peer can send to one end of a session, beside a model of it; what was read is written again by weft's writer, and has
// to say the same to protobuf's parser. The input begins with the window that this end has, in two
// bytes: n calls, m * 4 bytes. Then come steps, until it ends or the session does:
//
//   byte 0..191    a batch comes: the next two bytes are its length (little-endian; less when there is less), then itself
//   byte 192..223  this end answers the call that has run longest, or the next byte's
//   byte 224..255  this end calls, with as many bytes of request as the next two bytes say, if the window has room
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/session/batch_reader.hpp>
#include <weft/rpc/session/batch_writer.hpp>
#include <weft/rpc/session/call_rules.hpp>
#include <weft/rpc/session/sent_calls.hpp>

#include "../support/session_parts.hpp"
#include "session_model.hpp"

namespace {

using fuzz::session_model;
using weft::status;

void require(bool good, const char* what) {
  if (good) return;
  static_cast<void>(std::fprintf(stderr, "the session and its model differ: %s\n", what));
  std::abort();
}

// A status of weft's has one of gRPC's codes.
std::uint64_t code_of(const weft::detail::reply_frame& r) {
  constexpr std::uint64_t codes = 17;
  return r.code % codes;
}

// As session_wire, with weft's own reader, rules and tables.
class session_end final : public test::heard_parts {
 public:
  explicit session_end(const weft::detail::session_window& window) noexcept : rules_{window} {}

  status take(std::string_view bytes) {
    all.Clear();
    order.clear();
    while (!again.empty()) again.reuse(again.next());
    constexpr std::size_t portion = 3;
    weft::detail::batch_reader reader;
    reader.begin(bytes);
    status s;
    while (s.ok() && !reader.done()) s = reader.read(*this, portion);
    if (s.ok() && !rules_.attached()) s = weft::invalid_argument("no attach");
    rules_.answered(std::exchange(refused_bytes_, 0), std::exchange(refused_, 0));  // the refusals leave
    return s;
  }
  void answer(std::uint64_t id) {
    std::size_t bytes = 0;
    require(running.take(id, bytes), "a call that runs");
    rules_.answered(bytes);
  }
  bool may_call(std::size_t bytes) const { return sent.has_room(bytes); }
  void call(std::size_t bytes) { sent.add({nullptr, bytes, 0}); }
  std::uint64_t last_id() const { return rules_.last_id(); }

  weft::detail::id_table<std::size_t> running;
  weft::detail::sent_calls sent;
  weft::detail::batch_writer again;  // what was told, written again

 private:
  status got_attach(const weft::detail::attach_frame& a) override {
    std::ignore = heard_parts::got_attach(a);
    if (auto s = rules_.attach(a); !s.ok()) return s;
    sent.said(a.window);
    again.attach(a);
    return {};
  }
  status got_window(const weft::detail::session_window& w) override {
    sent.said(w);
    again.window(w);
    return heard_parts::got_window(w);
  }
  status got_forget(std::uint64_t key) override {
    sent.forget_gaps(key);
    again.forget(key);
    return heard_parts::got_forget(key);
  }
  status got_call(const weft::detail::call_frame& c) override {
    if (auto s = rules_.accept(c); !s.ok()) return s;
    if (!c.path.empty()) methods_.emplace_back(c.path);
    rules_.begun(c.request.size());
    if (fuzz::serves(methods_[c.method])) {
      running.insert(c.id, c.request.size());
    } else {
      ++refused_;
      refused_bytes_ += c.request.size();
    }
    const auto entries_of_call = entries(c.metadata);
    const auto* sent_along = c.metadata.any ? &entries_of_call : nullptr;
    const auto before = again.waiting();
    again.call(c, sent_along);
    require(again.waiting() - before == again.size_of(c, sent_along), "the size of a call");
    return heard_parts::got_call(c);
  }
  status got_reply(const weft::detail::reply_frame& r) override {
    weft::detail::sent_call call;
    if (auto s = sent.answered(r.id, call); !s.ok()) return s;
    const auto headers = entries(r.headers);
    const auto trailers = entries(r.trailers);
    if (const auto code = code_of(r); code != 0) {
      const status why{static_cast<weft::code>(code), std::string{r.message}, std::string{r.details}};
      const auto before = again.waiting();
      again.error(r.id, why, r.not_run, &headers, &trailers);
      require(again.waiting() - before == again.size_of_error(r.id, why, r.not_run, &headers, &trailers),
              "the size of an error");
    } else {
      const auto before = again.waiting();
      auto* at = again.reply(r.id, r.reply.size(), &headers, &trailers);
      if (!r.reply.empty()) std::memcpy(at, r.reply.data(), r.reply.size());
      require(again.waiting() - before == again.size_of_reply(r.id, r.reply.size(), &headers, &trailers),
              "the size of a reply");
    }
    return heard_parts::got_reply(r);
  }
  status got_cancel(std::uint64_t id) override {
    if (running.find(id) != nullptr) answer(id);
    again.cancel(id);
    return heard_parts::got_cancel(id);
  }
  status got_go_away(std::uint64_t last_id) override {
    std::ignore = sent.take_beyond(last_id);
    again.go_away(last_id);
    return heard_parts::got_go_away(last_id);
  }
  status got_ping(std::uint64_t n) override {
    again.ping(n);
    return heard_parts::got_ping(n);
  }
  status got_pong(std::uint64_t n) override {
    again.pong(n);
    return heard_parts::got_pong(n);
  }
  static weft::metadata entries(const weft::detail::entries_view& from) {
    if (!from.any) return {};
    auto all = weft::detail::read_entries(from);
    std::size_t bytes = 0;
    for (const auto& [key, value] : all) bytes += key.size() + value.size() + 32;
    require(bytes == weft::detail::size_of_entries(from), "the size of metadata");
    return all;
  }

  weft::detail::call_rules rules_;
  std::vector<std::string> methods_;
  std::size_t refused_ = 0;  // of the batch
  std::size_t refused_bytes_ = 0;
};

session_model::verdict verdict_of(const status& s) {
  if (s.ok()) return session_model::verdict::accepted;
  if (s.code() == weft::code::resource_exhausted) return session_model::verdict::beyond_window;
  if (s.code() == weft::code::failed_precondition) return session_model::verdict::wrong_version;
  require(s.code() == weft::code::invalid_argument, "the status of a broken rule");
  return session_model::verdict::broken;
}

// What weft's writer makes of what was told: a reply has either a message or an error.
void writes_the_same(session_end& end) {
  lax::v1::Batch expected = end.all;
  for (auto& r : *expected.mutable_replies()) {
    weft::detail::reply_frame frame;
    frame.code = r.code();
    r.set_code(static_cast<std::uint32_t>(code_of(frame)));
    if (r.code() != 0) {
      r.clear_reply();
    } else {
      r.clear_message();
      r.clear_details();
      r.clear_not_run();
    }
  }
  std::string written;
  while (!end.again.empty()) {
    auto batch = end.again.next();
    require(!batch.empty(), "a batch has something");
    written.append(reinterpret_cast<const char*>(batch.data()), batch.size());
    end.again.reuse(std::move(batch));
  }
  require(end.again.waiting() == 0, "nothing waits");
  lax::v1::Batch read;  // batches one behind the other are one
  require(read.ParseFromString(written), "what is written is a batch");
  require(read.SerializeAsString() == expected.SerializeAsString(), "what is written again");
}

// False when the session has ended.
bool take_batch(session_end& end, session_model& model, std::string_view bytes) {
  // Memory that ends with the batch: AddressSanitizer sees who reads further.
  const std::unique_ptr<char[]> alone{new char[bytes.size()]};
  if (!bytes.empty()) std::memcpy(alone.get(), bytes.data(), bytes.size());
  const auto got = verdict_of(end.take({alone.get(), bytes.size()}));
  const auto expected = model.take(std::string{bytes});
  if (expected == session_model::verdict::malformed) {
    // What stands before the malformed part may have broken a rule already.
    require(got != session_model::verdict::accepted, "protobuf does not parse the batch");
    return false;
  }
  require(got == expected, "whether a batch is accepted");
  if (got != session_model::verdict::accepted) return false;
  require(end.order == test::order_of(model.told), "the order of parts");
  require(end.all.SerializeAsString() == model.told.SerializeAsString(), "what a batch says");
  writes_the_same(end);
  return true;
}

void same_state(session_end& end, const session_model& model) {
  require(end.last_id() == model.last_id, "the last call");
  require(end.running.size() == model.running.size(), "how many calls run");
  for (const auto& [id, bytes] : model.running) {
    const auto* found = end.running.find(id);
    require(found != nullptr && *found == bytes, "which calls run");
  }
  require(end.sent.size() == model.out.size(), "how many calls are out");
  require(end.sent.next_id() == model.last_called + 1, "the id of the next call");
}

class input {
 public:
  explicit input(std::string_view bytes) noexcept : left_{bytes} {}
  bool empty() const noexcept { return left_.empty(); }
  std::size_t byte() noexcept {
    if (left_.empty()) return 0;
    const auto b = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return b;
  }
  std::size_t two_bytes() noexcept {
    const auto low = byte();
    return low | byte() << 8U;
  }
  std::string_view take(std::size_t n) noexcept {
    const auto taken = left_.substr(0, n);
    left_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  input in{{reinterpret_cast<const char*>(data), size}};
  const auto calls = in.byte();
  const auto bytes = 4 * in.byte();
  session_end end{{calls, bytes}};
  session_model model{calls, bytes};
  while (!in.empty()) {
    const auto step = in.byte();
    if (step < 192) {
      if (!take_batch(end, model, in.take(in.two_bytes()))) return 0;
    } else if (step < 224) {
      const auto n = in.byte();
      if (!model.running.empty()) {
        const auto id = std::next(model.running.begin(), static_cast<int>(n % model.running.size()))->first;
        end.answer(id);
        model.answer(id);
      }
    } else {
      const auto request = in.two_bytes();
      require(end.may_call(request) == model.may_call(request), "whether there is room for a call");
      if (model.may_call(request)) {
        end.call(request);
        model.call(request);
      }
    }
    same_state(end, model);
  }
  return 0;
}
