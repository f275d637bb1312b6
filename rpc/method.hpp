#pragma once

namespace weft {

/// A method as it is called: its path on the wire. One static object for each, made by the generator.
struct method_info {
  const char* path;         ///< "/lobby.v1.Cards/Play"
  bool idempotent = false;  ///< Running it twice does no harm: `idempotency_level` in the .proto.
};

}  // namespace weft
