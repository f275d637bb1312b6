#include <weft/rpc/session/batch_reader.hpp>

#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <weft/runtime/config.hpp>

namespace weft::detail {
namespace {

constexpr int most_of_length = 5;  // bytes, and of a tag: protobuf reads no further

enum wire_type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, group = 3, group_end = 4, fixed32 = 5 };

constexpr std::uint8_t tag(unsigned field, wire_type type) noexcept {
  return static_cast<std::uint8_t>(field << 3U | type);
}

// A frame as batch_writer makes most: its length has one byte. Returns where the next one may stand; null when it is another.
inline const char* small_frame(const char* at, const char* end, std::uint8_t tag, std::string_view& frame) noexcept {
  if (end - at < 2 || static_cast<std::uint8_t>(*at) != tag) return nullptr;
  const auto length = static_cast<std::uint8_t>(at[1]);
  if (length >= 0x80 || length > end - at - 2) return nullptr;
  frame = {at + 2, length};
  return at + 2 + length;
}

// The fields of a message, one after the other. Once it has failed it stays at its end.
class fields {
 public:
  /// `depth`: messages around this one.
  fields(std::string_view message, int depth) noexcept
      : at_{message.data()}, end_{message.data() + message.size()}, depth_{depth} {}

  // False at the end, and when what follows is no field.
  bool next() noexcept {
    if (at_ == end_) return false;
    std::uint64_t tag = 0;
    if (!read_varint(tag, most_of_length)) return fail();
    field_ = static_cast<std::uint32_t>(tag) >> 3U;  // bits beyond 32 are dropped, as protobuf does
    type_ = static_cast<wire_type>(tag & 7U);
    if (field_ == 0) return fail();
    if (type_ == bytes) {
      std::uint64_t length = 0;
      if (!read_varint(length, most_of_length) || length > static_cast<std::uint64_t>(end_ - at_)) return fail();
      return take(length);
    }
    return type_ == varint ? read_varint(number_) || fail() : next_rare();
  }
  bool failed() const noexcept { return failed_; }
  std::uint32_t field() const noexcept { return field_; }
  bool is_number() const noexcept { return type_ == varint; }
  bool is_bytes() const noexcept { return type_ == bytes; }
  std::uint64_t number() const noexcept { return number_; }
  std::string_view text() const noexcept { return text_; }

  bool read_varint(std::uint64_t& value, unsigned most_bytes = 10) noexcept {
    // Nearly all have one byte.
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      value = static_cast<std::uint8_t>(*at_++);
      return true;
    }
    return read_long_varint(value, most_bytes);
  }
  bool at_end() const noexcept { return at_ == end_; }
  const char* at() const noexcept { return at_; }

 private:
  static constexpr int deepest = 100;  // protobuf's limit of messages and groups within each other

  WEFT_NOINLINE bool read_long_varint(std::uint64_t& value, unsigned most_bytes) noexcept {
    value = 0;
    for (unsigned shift = 0; shift < 7 * most_bytes && at_ != end_; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;  // bits beyond 64 are dropped, as protobuf does
      if (byte < 0x80) return true;
    }
    return false;
  }
  WEFT_NOINLINE bool next_rare() noexcept {
    switch (type_) {
      case fixed64: return end_ - at_ >= 8 ? take(8) : fail();
      case fixed32: return end_ - at_ >= 4 ? take(4) : fail();
      case group: return skip_group();
      case group_end: return groups_ != 0 || fail();
      default: return fail();
    }
  }
  // No field of ours is a group, but one that is not known may be. Ends behind it.
  bool skip_group() noexcept {
    const auto opened = field_;
    if (depth_ + ++groups_ > deepest) return fail();
    while (next()) {
      if (type_ != group_end) continue;
      if (field_ != opened) return fail();
      --groups_;
      type_ = group;  // which is nothing that anybody reads
      return true;
    }
    return fail();
  }
  bool take(std::uint64_t n) noexcept {
    text_ = {at_, static_cast<std::size_t>(n)};
    at_ += n;
    return true;
  }
  bool fail() noexcept {
    failed_ = true;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  std::uint64_t number_ = 0;
  std::string_view text_;
  std::uint32_t field_ = 0;
  wire_type type_ = varint;
  bool failed_ = false;
  int depth_;
  int groups_ = 0;
};

status malformed(const char* what) {
  return invalid_argument(std::string{"session: the bytes are not a valid "} + what);
}

// The field's value, if it is of the type that session.proto says; of another type it is a field that is not known.
void set(std::uint64_t& target, const fields& f) noexcept {
  if (f.is_number()) target = f.number();
}
void set(bool& target, const fields& f) noexcept {
  if (f.is_number()) target = f.number() != 0;
}
void set(std::string_view& target, const fields& f) noexcept {
  if (f.is_bytes()) target = f.text();
}

bool valid_entry(std::string_view entry) noexcept {
  fields f{entry, 2};
  while (f.next()) {
  }
  return !f.failed();
}
bool set(entries_view& target, std::string_view frame, const fields& f) noexcept {
  if (!f.is_bytes()) return true;
  target = {frame, f.field(), true};
  return valid_entry(f.text());
}

bool read(std::string_view frame, session_window& w, int depth) noexcept {
  fields f{frame, depth};
  while (f.next()) {
    switch (f.field()) {
      case 1: set(w.calls, f); break;
      case 2: set(w.bytes, f); break;
      default: break;
    }
  }
  return !f.failed();
}

bool read(std::string_view frame, attach_frame& a) noexcept {
  fields f{frame, 1};
  bool good = true;
  while (f.next()) {
    switch (f.field()) {
      case 1: set(a.oldest_version, f); break;
      case 2: set(a.newest_version, f); break;
      case 3: good = good && (!f.is_bytes() || read(f.text(), a.window, 2)); break;
      case 4: set(a.batch_bytes, f); break;
      default: break;
    }
  }
  // They are 32 bits wide, of which protobuf takes the lower.
  a.oldest_version = static_cast<std::uint32_t>(a.oldest_version);
  a.newest_version = static_cast<std::uint32_t>(a.newest_version);
  return good && !f.failed();
}

// The fields of a frame as batch_writer makes most: in the order of their numbers, with tags of one byte. What is rarer,
// `fields` reads. Each function says false when it is not that simple, and takes a field that is not there as zero or empty.
// The frame is part of a batch, of which bytes may be loaded up to `readable`.
class quick_fields {
 public:
  quick_fields(std::string_view frame, const char* readable) noexcept
      : at_{frame.data()}, end_{at_ + frame.size()}, readable_{readable} {}

  bool at_end() const noexcept { return at_ == end_; }
  bool read(unsigned field, std::uint64_t& number) noexcept { return !skip(tag(field, varint)) || read_varint(number); }
  [[gnu::always_inline]] bool read(unsigned field, std::string_view& text) noexcept {
    std::uint64_t length = 0;
    if (!skip(tag(field, bytes))) return true;
    const auto* const digits = at_;
    if (!read_varint(length) || length > static_cast<std::uint64_t>(end_ - at_) || at_ - digits > most_of_length) {
      return false;
    }
    text = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

 private:
  bool skip(std::uint8_t tag) noexcept {
    if (at_ == end_ || static_cast<std::uint8_t>(*at_) != tag) return false;
    ++at_;
    return true;
  }
  [[gnu::always_inline]] bool read_varint(std::uint64_t& number) noexcept {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      number = static_cast<std::uint8_t>(*at_++);
      return true;
    }
    if (std::endian::native != std::endian::little || readable_ - at_ < 8) return read_bytewise(number);
    // Up to eight bytes at once: the groups of seven bits are moved together, two, then four, then all.
    std::uint64_t word = 0;
    std::memcpy(&word, at_, 8);
    const auto ends = ~word & 0x8080'8080'8080'8080U;
    if (ends == 0) return false;
    const auto length = std::countr_zero(ends) / 8 + 1;
    if (length > end_ - at_) return false;
    at_ += length;
    word &= ends ^ (ends - 1);
    word = (word & 0x007f'007f'007f'007fU) | (word & 0x7f00'7f00'7f00'7f00U) >> 1U;
    word = (word & 0x0000'3fff'0000'3fffU) | (word & 0x3fff'0000'3fff'0000U) >> 2U;
    number = (word & 0x0000'0000'0fff'ffffU) | (word & 0x0fff'ffff'0000'0000U) >> 4U;
    return true;
  }
  WEFT_NOINLINE bool read_bytewise(std::uint64_t& number) noexcept {
    number = 0;
    for (unsigned shift = 0; shift < 63 && at_ != end_; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(*at_++);
      number |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  const char* at_;
  const char* const end_;
  const char* const readable_;
};

// False when `fields` has to read it.
bool read_quickly(std::string_view frame, const char* readable, call_frame& c) noexcept {
  quick_fields f{frame, readable};
  return f.read(1, c.id) && f.read(2, c.method) && f.read(4, c.request) && f.read(5, c.limit_us) && f.read(6, c.key) &&
         f.at_end() && c.method >> 32U == 0;
}
bool read_quickly(std::string_view frame, const char* readable, reply_frame& r) noexcept {
  quick_fields f{frame, readable};
  return f.read(1, r.id) && f.read(3, r.reply) && f.at_end();
}

bool read(std::string_view frame, const char* readable, call_frame& c) noexcept {
  if (read_quickly(frame, readable, c)) return true;
  c = {};
  fields f{frame, 1};
  bool good = true;
  while (f.next()) {
    switch (f.field()) {
      case 1: set(c.id, f); break;
      case 2: set(c.method, f); break;
      case 3: set(c.path, f); break;
      case 4: set(c.request, f); break;
      case 5: set(c.limit_us, f); break;
      case 6: set(c.key, f); break;
      case 7: set(c.gapless, f); break;
      case 8: good = set(c.metadata, frame, f) && good; break;
      default: break;
    }
  }
  c.method = static_cast<std::uint32_t>(c.method);
  return good && !f.failed();
}

bool read(std::string_view frame, const char* readable, reply_frame& r) noexcept {
  if (read_quickly(frame, readable, r)) return true;
  r = {};
  fields f{frame, 1};
  bool good = true;
  while (f.next()) {
    switch (f.field()) {
      case 1: set(r.id, f); break;
      case 2: set(r.code, f); break;
      case 3: set(r.reply, f); break;
      case 4: set(r.message, f); break;
      case 5: set(r.details, f); break;
      case 6: set(r.not_run, f); break;
      case 7: good = set(r.headers, frame, f) && good; break;
      case 8: good = set(r.trailers, frame, f) && good; break;
      default: break;
    }
  }
  r.code = static_cast<std::uint32_t>(r.code);
  return good && !f.failed();
}

bool read_last_id(std::string_view frame, std::uint64_t& last_id) noexcept {
  fields f{frame, 1};
  while (f.next()) {
    if (f.field() == 1) set(last_id, f);
  }
  return !f.failed();
}

// Packed or one by one.
template <class F>
status each_number(const fields& f, const char* what, F then) {
  if (f.is_number()) return then(f.number());
  if (!f.is_bytes()) return {};
  fields packed{f.text(), 1};
  while (!packed.at_end()) {
    std::uint64_t n = 0;
    if (!packed.read_varint(n)) return malformed(what);
    if (auto s = then(n); !s.ok()) return s;
  }
  return {};
}

template <class F>
void each_entry(const entries_view& from, F then) {
  fields f{from.frame, 1};
  while (f.next()) {
    if (f.field() != from.field || !f.is_bytes()) continue;
    std::string_view key;
    std::string_view value;
    fields entry{f.text(), 2};
    while (entry.next()) {
      if (entry.field() == 1) set(key, entry);
      if (entry.field() == 2) set(value, entry);
    }
    then(key, value);
  }
}

status tell(batch_parts& parts, const call_frame& c) { return parts.got_call(c); }
status tell(batch_parts& parts, const reply_frame& r) { return parts.got_reply(r); }
constexpr const char* name_of(const call_frame&) { return "Call"; }
constexpr const char* name_of(const reply_frame&) { return "Reply"; }

}  // namespace

// What goes before the calls, and what else there is.
status batch_reader::read_first(batch_parts& parts) {
  calls_ = replies_ = 0;
  has_last_ = false;
  const auto rest = count_small_frames();
  if (rest.empty()) return {};
  fields f{rest, 0};
  bool attached = false;
  bool window_said = false;
  bool forgets = false;
  attach_frame attach;
  session_window window;
  while (f.next()) {
    switch (f.field()) {
      // A field that comes twice counts as one, as protobuf has it.
      case 1:
        if (!f.is_bytes()) break;
        attached = true;
        if (!weft::detail::read(f.text(), attach)) return malformed("Attach");
        break;
      case 2: calls_ += f.is_bytes() ? 1 : 0; break;
      case 3: replies_ += f.is_bytes() ? 1 : 0; break;
      case 5:
        if (!f.is_bytes()) break;
        window_said = true;
        if (!weft::detail::read(f.text(), window, 1)) return malformed("Window");
        break;
      case 4:
      case 6:
      case 7:
      case 8: has_last_ = true; break;
      case 9: forgets = true; break;
      default: break;
    }
  }
  if (f.failed()) return malformed("Batch");
  if (attached) {
    if (auto s = parts.got_attach(attach); !s.ok()) return s;
  }
  if (window_said) {
    if (auto s = parts.got_window(window); !s.ok()) return s;
  }
  return forgets ? read_forgets(parts) : status{};
}

// Most batches have nothing else. Returns what comes behind them.
std::string_view batch_reader::count_small_frames() noexcept {
  const char* at = batch_.data();
  const char* const end = at + batch_.size();
  std::string_view ignored;
  while (true) {
    if (const char* next = small_frame(at, end, tag(2, bytes), ignored)) {
      ++calls_;
      at = next;
    } else if ((next = small_frame(at, end, tag(3, bytes), ignored)) != nullptr) {
      ++replies_;
      at = next;
    } else {
      return {at, static_cast<std::size_t>(end - at)};
    }
  }
}

status batch_reader::read_forgets(batch_parts& parts) {
  fields f{batch_, 0};
  while (f.next()) {
    if (f.field() != 9) continue;
    if (auto s = each_number(f, "list of keys", [&](std::uint64_t key) { return parts.got_forget(key); }); !s.ok())
      return s;
  }
  return {};
}

// As many as are left of `most`; at the batch's end there are no more.
template <class Frame, std::uint32_t Field>
status batch_reader::read_frames(batch_parts& parts, std::size_t& most) {
  const char* at = batch_.data() + at_;
  const char* const end = batch_.data() + batch_.size();
  while (most != 0 && at != end) {
    std::string_view text;
    if (const char* next = small_frame(at, end, tag(Field, bytes), text)) {
      at = next;
    } else {
      fields f{{at, static_cast<std::size_t>(end - at)}, 0};
      f.next();  // which it can: the whole batch was read before
      at = f.at();
      if (f.field() != Field || !f.is_bytes()) continue;
      text = f.text();
    }
    Frame frame;
    if (!weft::detail::read(text, end, frame)) return malformed(name_of(frame));
    if (auto s = tell(parts, frame); !s.ok()) return s;
    --most;
  }
  at_ = static_cast<std::size_t>(at - batch_.data());
  return {};
}

status batch_reader::read_last(batch_parts& parts) {
  fields f{batch_, 0};
  std::uint64_t ping = 0;
  std::uint64_t pong = 0;
  std::uint64_t last_id = 0;
  bool going = false;
  while (f.next()) {
    switch (f.field()) {
      case 4:
        if (auto s = each_number(f, "list of ids", [&](std::uint64_t id) { return parts.got_cancel(id); }); !s.ok())
          return s;
        break;
      case 6: set(ping, f); break;
      case 7: set(pong, f); break;
      case 8:
        if (!f.is_bytes()) break;
        going = true;
        if (!read_last_id(f.text(), last_id)) return malformed("GoAway");
        break;
      default: break;
    }
  }
  if (ping != 0) {
    if (auto s = parts.got_ping(ping); !s.ok()) return s;
  }
  if (pong != 0) {
    if (auto s = parts.got_pong(pong); !s.ok()) return s;
  }
  return going ? parts.got_go_away(last_id) : status{};
}

status batch_reader::read(batch_parts& parts, std::size_t most) {
  if (next_ == part::first) {
    if (auto s = read_first(parts); !s.ok()) return s;
    replies_left_ = replies_;
    at_ = 0;
    next_ = part::calls;
  }
  if (next_ == part::calls) {
    if (calls_ != 0) {
      if (auto s = read_frames<call_frame, 2>(parts, most); !s.ok()) return s;
      if (at_ != batch_.size()) return {};
    }
    at_ = 0;
    next_ = part::replies;
  }
  if (next_ == part::replies) {
    if (replies_ != 0) {
      const auto before = most;
      if (auto s = read_frames<reply_frame, 3>(parts, most); !s.ok()) return s;
      replies_left_ -= before - most;
      if (at_ != batch_.size()) return {};
    }
    next_ = part::last;
  }
  if (next_ == part::last) {
    next_ = part::none;
    if (has_last_) return read_last(parts);
  }
  return {};
}

status read_batch(std::string_view bytes, batch_parts& parts) {
  batch_reader reader;
  reader.begin(bytes);
  return reader.read(parts, std::numeric_limits<std::size_t>::max());
}

metadata read_entries(const entries_view& from) {
  metadata all;
  each_entry(from, [&](std::string_view key, std::string_view value) { all.add(key, std::string{value}); });
  return all;
}

std::size_t size_of_entries(const entries_view& from) {
  constexpr std::size_t beside = 32;
  std::size_t sum = 0;
  each_entry(from, [&](std::string_view key, std::string_view value) { sum += key.size() + value.size() + beside; });
  return sum;
}

}  // namespace weft::detail
