#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "dice.hpp"
#include "wire.pb.h"

// Batches that are drawn: what a peer could send, and what is nearly that.

namespace test {

inline std::uint64_t any_number(dice& d) {
  switch (d.below(4)) {
    case 0: return d.below(3);
    case 1: return d.below(300);
    case 2: return d.next() >> d.below(64);
    default: return ~std::uint64_t{0} >> d.below(64);
  }
}
inline std::uint32_t any_small(dice& d) { return static_cast<std::uint32_t>(any_number(d)); }
inline std::string any_text(dice& d) {
  std::string s(d.one_in(3) ? 0 : d.below(d.one_in(20) ? 400 : 12), '\0');
  for (auto& c : s) c = static_cast<char>('-' + d.below(78));  // some letters are upper-case
  return s;
}
inline std::string any_bytes(dice& d) {
  auto s = any_text(d);
  for (auto& c : s) c = static_cast<char>(d.below(256));
  return s;
}
inline std::size_t few(dice& d) { return d.one_in(2) ? 0 : d.below(4); }

inline void draw(dice& d, wire::v1::Window& w) {
  if (d.one_in(4)) return;
  w.set_calls(any_number(d));
  w.set_bytes(any_number(d));
}
inline void draw(dice& d, wire::v1::Entry& e) {
  e.set_key(any_text(d));
  e.set_value(any_bytes(d));
}
inline void draw(dice& d, wire::v1::Attach& a) {
  a.set_oldest_version(any_small(d));
  a.set_newest_version(any_small(d));
  if (!d.one_in(3)) draw(d, *a.mutable_window());
  a.set_batch_bytes(any_number(d));
}
inline void draw(dice& d, wire::v1::Call& c) {
  c.set_id(any_number(d));
  c.set_method(any_small(d));
  c.set_path(any_text(d));
  c.set_request(any_bytes(d));
  c.set_limit_us(any_number(d));
  c.set_key(any_number(d));
  c.set_gapless(d.one_in(2));
  for (auto n = few(d); n != 0; --n) draw(d, *c.add_metadata());
}
inline void draw(dice& d, wire::v1::Reply& r) {
  r.set_id(any_number(d));
  r.set_code(any_small(d));
  r.set_reply(any_bytes(d));
  r.set_message(any_bytes(d));
  r.set_details(any_bytes(d));
  r.set_not_run(d.one_in(2));
  for (auto n = few(d); n != 0; --n) draw(d, *r.add_headers());
  for (auto n = few(d); n != 0; --n) draw(d, *r.add_trailers());
}
inline wire::v1::Batch any_batch(dice& d) {
  wire::v1::Batch b;
  if (d.one_in(4)) draw(d, *b.mutable_attach());
  for (auto n = few(d); n != 0; --n) draw(d, *b.add_calls());
  for (auto n = few(d); n != 0; --n) draw(d, *b.add_replies());
  for (auto n = few(d); n != 0; --n) b.add_cancels(any_number(d));
  if (d.one_in(4)) draw(d, *b.mutable_window());
  if (d.one_in(4)) b.set_ping(any_number(d));
  if (d.one_in(4)) b.set_pong(any_number(d));
  if (d.one_in(4)) b.mutable_go_away()->set_last_id(any_number(d));
  for (auto n = few(d); n != 0; --n) b.add_forget(any_number(d));
  return b;
}

// What protobuf's classes do not write.

/// With `longer` bytes more than it needs.
inline std::string varint(std::uint64_t v, std::size_t longer = 0) {
  std::string s;
  for (; v >= 0x80; v >>= 7U) s += static_cast<char>(v | 0x80U);
  s += static_cast<char>(v);
  for (; longer != 0; --longer) {
    s.back() = static_cast<char>(static_cast<unsigned char>(s.back()) | 0x80U);
    s += '\0';
  }
  return s;
}
inline std::string tag(std::uint32_t field, unsigned wire_type) { return varint(field << 3U | wire_type); }
inline std::string with_length(std::uint32_t field, const std::string& bytes) {
  return tag(field, 2) + varint(bytes.size()) + bytes;
}
/// A field of any wire type, and of any number, known ones among them: it is not always well-formed for a known one.
inline std::string any_field(dice& d, int depth = 0) {
  const auto field = d.one_in(8) ? 1 + static_cast<std::uint32_t>(d.below((1U << 29U) - 1))
                                 : 1 + static_cast<std::uint32_t>(d.below(12));
  switch (d.below(6)) {
    case 0: return tag(field, 0) + varint(any_number(d), d.one_in(8) ? 1 : 0);
    case 1: return tag(field, 1) + std::string(8, 'x');
    case 2: return with_length(field, any_bytes(d));
    case 3: return tag(field, 5) + std::string(4, 'x');
    case 4: {
      std::string inside;
      for (auto n = depth < 3 ? few(d) : 0; n != 0; --n) inside += any_field(d, depth + 1);
      return tag(field, 3) + inside + tag(field, 4);
    }
    default: {
      std::string packed;
      for (auto n = d.below(6); n != 0; --n) packed += varint(any_number(d));
      return with_length(field, packed);
    }
  }
}

/// Some bytes of it are another's: changed, lost, doubled, put in.
inline std::string spoilt(dice& d, std::string bytes) {
  for (auto n = 1 + d.below(3); n != 0; --n) {
    const auto at = d.below(bytes.size() + 1);
    const auto left = bytes.size() - at;
    switch (d.below(7)) {
      case 0:
        if (left != 0) bytes[at] = static_cast<char>(d.below(256));
        break;
      case 1:
        if (left != 0) bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << d.below(8)));
        break;
      case 2: bytes.erase(at, d.below(4)); break;
      case 3: bytes.insert(at, 1 + d.below(12), static_cast<char>(d.one_in(2) ? 0xff : 0x80)); break;
      case 4: bytes.insert(at, any_field(d)); break;
      case 5: bytes.resize(at); break;
      default: bytes.insert(at, bytes.substr(d.below(bytes.size() + 1), d.below(20))); break;
    }
  }
  return bytes;
}

}  // namespace test
