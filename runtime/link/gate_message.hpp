#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <weft/runtime/result.hpp>

namespace weft {

/// What every message of a gate says beside its body: see README.md for the protocol.
struct gate_head {
  std::uint64_t reply_to = 0;  ///< The number of the command that is answered; 0: an event.
  status outcome;              ///< Of the command.
};

/// Appends the number of a command: field 1, of which the last one counts.
void number_command(std::string& command, std::uint64_t number);

/// Reads fields 1 to 3 and passes over the rest. INVALID_ARGUMENT when it is no protobuf message, or these are of other types.
result<gate_head> read_gate_head(std::string_view message);

}  // namespace weft
