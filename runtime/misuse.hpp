#pragma once
#include <string_view>

namespace weft {

/// Ends the process with a message on stderr that says what was done wrong and what to do instead.
/// For bugs in the program only; what can fail in a correct program is a status.
[[noreturn]] void misuse(std::string_view what_and_remedy) noexcept;

}  // namespace weft
