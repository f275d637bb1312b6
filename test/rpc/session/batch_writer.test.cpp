// The writer of batches, which is written by hand, read by protobuf's generated parser of the same .proto.
#include <weft/rpc/session/batch_writer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/runtime/config.hpp>

#include "../../support/session_batches.hpp"

using test::dice;
using weft::metadata;
using weft::detail::batch_writer;

namespace {

#if WEFT_TSAN || WEFT_ASAN
constexpr std::uint64_t cases = 20'000;
#else
constexpr std::uint64_t cases = 100'000;
#endif

metadata entries(dice& d) {
  metadata m;
  for (auto n = test::few(d); n != 0; --n) m.add(test::any_text(d), test::any_bytes(d));
  return m;
}
void expect(google::protobuf::RepeatedPtrField<wire::v1::Entry>& to, const metadata& m) {
  for (const auto& [key, value] : m) {
    auto& e = *to.Add();
    e.set_key(key);
    e.set_value(value);
  }
}

// Writes something, and says in `as` what is to be read. Returns the bytes that the writer says it takes; 0 when it does not.
std::size_t write_any(dice& d, batch_writer& to, wire::v1::Batch& as) {
  switch (d.below(10)) {
    case 0: {
      if (as.has_attach()) return 0;
      auto& a = *as.mutable_attach();
      test::draw(d, a);
      a.mutable_window();
      to.attach({a.oldest_version(), a.newest_version(), {a.window().calls(), a.window().bytes()}, a.batch_bytes()});
      return 0;
    }
    case 1:
    case 2: {
      auto& c = *as.add_calls();
      test::draw(d, c);
      c.clear_metadata();
      const auto sent = entries(d);
      expect(*c.mutable_metadata(), sent);
      const weft::detail::call_frame frame{c.id(),       c.method(), c.path(),    c.request(),
                                           c.limit_us(), c.key(),    c.gapless(), {}};
      const auto* extras = sent.empty() && d.one_in(2) ? nullptr : &sent;
      to.call(frame, extras);
      return batch_writer::size_of(frame, extras);
    }
    case 3: {
      auto& r = *as.add_replies();
      r.set_id(test::any_number(d));
      r.set_reply(test::any_bytes(d));
      const auto headers = entries(d);
      const auto trailers = entries(d);
      expect(*r.mutable_headers(), headers);
      expect(*r.mutable_trailers(), trailers);
      std::ranges::copy(r.reply(), to.reply(r.id(), r.reply().size(), &headers, &trailers));
      return batch_writer::size_of_reply(r.id(), r.reply().size(), &headers, &trailers);
    }
    case 4: {
      auto& r = *as.add_replies();
      r.set_id(test::any_number(d));
      r.set_code(static_cast<std::uint32_t>(1 + d.below(16)));
      r.set_message(test::any_text(d));
      r.set_not_run(d.one_in(2));
      r.set_details(test::any_bytes(d));
      const weft::status why{static_cast<weft::code>(r.code()), r.message(), r.details()};
      const auto trailers = entries(d);
      expect(*r.mutable_trailers(), trailers);
      to.error(r.id(), why, r.not_run(), nullptr, &trailers);
      return 0;
    }
    case 5:
      as.add_cancels(test::any_number(d));
      to.cancel(as.cancels(as.cancels_size() - 1));
      return 0;
    case 6:
      as.clear_window();
      test::draw(d, *as.mutable_window());
      // Both, since of a field that comes twice what is 0 the second time stays as it was.
      as.mutable_window()->set_calls(as.window().calls() | 1U);
      as.mutable_window()->set_bytes(as.window().bytes() | 1U);
      to.window({as.window().calls(), as.window().bytes()});
      return 0;
    case 7:
      as.set_ping(1 + (test::any_number(d) >> 1U));
      to.ping(as.ping());
      as.set_pong(1 + (test::any_number(d) >> 1U));
      to.pong(as.pong());
      return 0;
    case 8:
      as.mutable_go_away()->set_last_id(1 + (test::any_number(d) >> 1U));
      to.go_away(as.go_away().last_id());
      return 0;
    default:
      as.add_forget(test::any_number(d));
      to.forget(as.forget(as.forget_size() - 1));
      return 0;
  }
}

std::string take_next(batch_writer& from) {
  auto batch = from.next();
  std::string bytes{reinterpret_cast<const char*>(batch.data()), batch.size()};
  from.reuse(std::move(batch));
  return bytes;
}

}  // namespace

TEST_SUITE("batch_writer") {
  TEST_CASE("protobuf reads what it writes, to the same values") {
    batch_writer writer;
    for (std::uint64_t seed = 0; seed < cases; ++seed) {
      dice d{seed};
      wire::v1::Batch expected;
      for (auto n = 1 + d.below(5); n != 0; --n) {
        const auto before = writer.waiting();
        const auto said = write_any(d, writer, expected);
        if (said != 0 && writer.waiting() - before != said)
          FAIL("seed " << seed << ": it takes other bytes than it said");
      }
      std::string bytes;
      while (!writer.empty()) bytes += take_next(writer);
      wire::v1::Batch read;
      if (!read.ParseFromString(bytes)) FAIL("seed " << seed << ": protobuf cannot read it");
      if (read.SerializeAsString() != expected.SerializeAsString()) {
        FAIL("seed " << seed << ": " << read.ShortDebugString() << " is not " << expected.ShortDebugString());
      }
    }
    CHECK(writer.waiting() == 0);
  }
  TEST_CASE("what does not fit goes into the next batch, and all keep their order") {
    batch_writer writer;
    dice d{1};
    std::vector<std::size_t> sizes;
    const std::string request(200'000, 'r');
    for (std::uint64_t id = 1; id <= 2'000; ++id) {
      sizes.push_back(d.one_in(100) ? d.below(request.size()) : d.below(2'000));
      weft::detail::call_frame c;
      c.id = id;
      c.request = std::string_view{request}.substr(0, sizes.back());
      writer.call(c, nullptr);
    }
    std::uint64_t last = 0;
    auto waiting = writer.waiting();
    while (!writer.empty()) {
      const auto bytes = take_next(writer);
      waiting -= bytes.size();
      CHECK(writer.waiting() == waiting);
      wire::v1::Batch batch;
      REQUIRE(batch.ParseFromString(bytes));
      CHECK((bytes.size() <= batch_writer::batch_target || batch.calls_size() == 1));
      for (const auto& c : batch.calls()) {
        CHECK(c.id() == ++last);
        CHECK(c.request().size() == sizes[last - 1]);
      }
    }
    CHECK(last == 2'000);
    CHECK(waiting == 0);
  }
  TEST_CASE("a reply of no bytes and no metadata is an id") {
    batch_writer writer;
    writer.reply(5, 0, nullptr, nullptr);
    wire::v1::Batch batch;
    REQUIRE(batch.ParseFromString(take_next(writer)));
    CHECK(batch.ShortDebugString() == "replies { id: 5 }");
  }
}
