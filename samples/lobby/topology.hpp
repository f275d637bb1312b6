#pragma once
#include <string>
#include <weft/runtime/result.hpp>

#include "lobby/v1/topology.pb.h"

namespace lobby {

/// Reads a topology from protobuf JSON. Errors: NOT_FOUND (no such file), INVALID_ARGUMENT (with the file, the line where
/// that can be told, and what is wrong: a syntax error, an unknown field, no address for players to connect to, a place that is
/// both local and elsewhere).
weft::result<v1::Topology> read_topology(const std::string& file);

/// The same from text; `name` is what errors call it.
weft::result<v1::Topology> parse_topology(const std::string& text, const std::string& name);

/// Defaults filled in. There is none for `listen`: nobody listens where nobody said so.
v1::Topology with_defaults(v1::Topology t);

}  // namespace lobby
