#pragma once
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/result.hpp>
#include <weft/weft.h>

namespace weft::c {

/// What `weft_last_error` says on this thread from now on. Returns `code`.
int fail(int code, std::string text) noexcept;
int fail(const status& why) noexcept;
inline int as_code(const status& s) noexcept { return s.ok() ? WEFT_OK : fail(s); }

const char* last_error() noexcept;

/// Runs the body of a function of the interface: no exception gets out.
template <class F>
int guarded(F f) noexcept {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return fail(WEFT_RESOURCE_EXHAUSTED, "out of memory");
  } catch (const std::exception& e) {
    return fail(WEFT_INTERNAL, e.what());
  } catch (...) {
    return fail(WEFT_INTERNAL, "something was thrown");
  }
}

status take_struct(const void* given, void* into, std::size_t known, const char* name);
status fill_struct(const void* from, void* given, std::size_t known, const char* name);

/// The struct of options that a program passed, which it may have been built for with fewer members, or with more as long as
/// it does not use them. Null: all defaults.
template <class Options>
result<Options> take(const Options* given, const char* name) {
  Options all{};
  if (auto s = take_struct(given, &all, sizeof all, name); !s.ok()) return s;
  return all;
}

/// The reverse: as much as the program's struct has room for.
template <class Report>
status fill(Report* given, const Report& from, const char* name) {
  return fill_struct(&from, given, sizeof from, name);
}

/// INVALID_ARGUMENT when a pointer is null that has bytes.
result<std::string_view> take_bytes(const void* bytes, std::size_t size, const char* what);
/// INVALID_ARGUMENT too for a key that is null, or a pair that cannot be sent.
result<metadata> take_metadata(const weft_metadata* pairs, std::size_t count);

inline std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

}  // namespace weft::c
