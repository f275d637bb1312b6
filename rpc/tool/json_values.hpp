#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weft::tool {

/// Takes JSON values apart that follow each other in a text, with or without space between them, however the text is cut
/// into pieces. What is wrong inside of a value is its parser's to say.
class json_values {
 public:
  void add(std::string_view piece) { text_ += piece; }
  /// The next value that is complete.
  std::optional<std::string> next();
  /// After the last piece: what is left, a number or a value that breaks off.
  std::optional<std::string> rest();

 private:
  // True when the value ends before or with this character.
  bool ends_before(char c) const noexcept;
  bool ends_with(char c) noexcept;
  std::string take(std::size_t length);

  std::string text_;  // from the beginning of a value, once that has begun
  std::size_t seen_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace weft::tool
