#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>
#include <weft/rpc/json.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/result.hpp>

namespace weft::tool {

enum class verb : std::uint8_t { help, list, describe, call };

/// What the command line says.
struct arguments {
  tool::verb verb = verb::help;
  std::string help;                     ///< The text, when that is what is wanted.
  std::string address;                  ///< Empty when the descriptors are all that is needed.
  std::string name;                     ///< A service, symbol or method; empty when none is given.
  std::string input;                    ///< JSON, "@file" or "-"; empty when none is given.
  std::string descriptors;              ///< A file; empty: the server is asked.
  peer_options peer;                    ///< Metadata, TLS.
  duration timeout = duration::zero();  ///< Zero: the default.
  json_style style = json_style::pretty;
  bool verbose = false;
};

/// INVALID_ARGUMENT when that is no way to call this program.
result<arguments> parse_arguments(std::span<char* const> words);

/// "250ms", "5s", "2m", "1h", "never". INVALID_ARGUMENT otherwise.
result<duration> parse_duration(const std::string& text);

}  // namespace weft::tool
