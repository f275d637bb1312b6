#include <weft/rpc/c/boundary.hpp>

#include <algorithm>

namespace weft::c {
namespace {

thread_local std::string last_text;

// What no struct of weft's is: a size that was not set.
constexpr std::size_t absurd = 1U << 16U;

status check_size(std::size_t size, const char* name) {
  if (size >= sizeof size && size <= absurd) return {};
  return invalid_argument(std::string{name} + ".size is " + std::to_string(size) + ": set it to sizeof(" + name + ")");
}

}  // namespace

int fail(int code, std::string text) noexcept {
  last_text = std::move(text);
  return code;
}

int fail(const status& why) noexcept { return fail(static_cast<int>(why.code()), why.message()); }

const char* last_error() noexcept { return last_text.c_str(); }

status take_struct(const void* given, void* into, std::size_t known, const char* name) {
  std::memcpy(into, &known, sizeof known);
  if (given == nullptr) return {};
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (auto s = check_size(size, name); !s.ok()) return s;
  const auto* bytes = static_cast<const char*>(given);
  if (std::any_of(bytes + std::min(size, known), bytes + size, [](char b) { return b != 0; })) {
    return invalid_argument(std::string{name} + ": a member is set that this weft, " + weft_version() +
                            ", does not have");
  }
  std::memcpy(into, given, std::min(size, known));
  std::memcpy(into, &known, sizeof known);
  return {};
}

status fill_struct(const void* from, void* given, std::size_t known, const char* name) {
  if (given == nullptr) return invalid_argument(std::string{name} + " is NULL");
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (auto s = check_size(size, name); !s.ok()) return s;
  std::memset(given, 0, size);
  std::memcpy(given, from, std::min(size, known));
  std::memcpy(given, &size, sizeof size);
  return {};
}

result<std::string_view> take_bytes(const void* bytes, std::size_t size, const char* what) {
  if (bytes == nullptr && size != 0) {
    return invalid_argument(std::string{what} + " is NULL, and has " + std::to_string(size) + " bytes");
  }
  return std::string_view{static_cast<const char*>(bytes), size};
}

result<metadata> take_metadata(const weft_metadata* pairs, std::size_t count) {
  metadata all;
  if (pairs == nullptr && count != 0) return invalid_argument("metadata are NULL");
  for (std::size_t i = 0; i < count; ++i) {
    if (pairs[i].key == nullptr) return invalid_argument("a key of metadata is NULL");
    const auto value = take_bytes(pairs[i].value, pairs[i].value_size, pairs[i].key);
    if (!value.ok()) return value.status();
    all.add(pairs[i].key, std::string{*value});
  }
  if (auto s = all.check(); !s.ok()) return s;
  return all;
}

}  // namespace weft::c

using namespace weft::c;

const char* weft_version(void) { return WEFT_VERSION; }

const char* weft_code_name(int code) {
  if (code == WEFT_BAD_HANDLE) return "BAD_HANDLE";
  if (code < WEFT_OK || code > WEFT_UNAUTHENTICATED) return "UNKNOWN";
  return weft::to_string(static_cast<weft::code>(code)).data();  // literals
}

const char* weft_last_error(void) { return last_error(); }
