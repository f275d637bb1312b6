#pragma once
#include <cstdint>

namespace weft {

enum class method_kind : std::uint8_t { unary, client_stream, server_stream, bidi_stream };

/// A method as it is called: its path on the wire. One static object for each, made by the generator.
struct method_info {
  const char* path;                       ///< "/lobby.v1.Cards/Play"
  bool idempotent = false;                ///< Running it twice does no harm: `idempotency_level` in the .proto.
  method_kind kind = method_kind::unary;  ///< Which of the two sides stream.
};

}  // namespace weft
