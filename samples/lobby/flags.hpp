#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <weft/runtime/result.hpp>

namespace lobby {

struct flag {
  std::string_view name;  // "--seconds"
  bool has_value = true;
};

/// What a program was told on its command line: "--seconds 10", "--seconds=10" or, without a value, "--help".
class flags {
 public:
  /// Errors: INVALID_ARGUMENT (a flag that is not known, a value that is missing or too many, something that is no flag).
  static weft::result<flags> parse(std::span<char* const> arguments, std::span<const flag> known);

  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name, std::string_view otherwise = {}) const;
  /// Errors: INVALID_ARGUMENT (not a whole number from `least` to `most`).
  weft::result<std::uint64_t> number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                     std::uint64_t most) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace lobby
