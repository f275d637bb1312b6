#include <weft/rpc/session/batch_reader.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <weft/rpc/session/protobuf_wire.hpp>

namespace weft::detail {
namespace {

using namespace protobuf_wire;  // NOLINT(google-build-using-namespace): this file is about nothing else

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
