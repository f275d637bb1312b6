#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

namespace lobby {

struct score {
  std::uint32_t games = 0;
  std::uint32_t wins = 0;
};

/// Players' scores in a SQLite file. What is read and written under one name stays in order; nobody's strand waits for the
/// disk. Outlives the runtime whose tasks use it; destroying it writes what is under way.
class score_book {
 public:
  /// Makes the file if need be. Blocks. Errors: UNAVAILABLE (cannot be opened, or not written), UNIMPLEMENTED (this lobby was
  /// built without SQLite).
  static weft::result<std::unique_ptr<score_book>> open(const std::string& file);
  ~score_book();

  /// Zeros for a name that has none.
  weft::reply<score> load(std::string name);
  /// One game more. Is done even if nobody waits for it any more.
  weft::task<weft::status> add(std::string name, bool won);

 private:
  class database;
  explicit score_book(const std::string& file);

  std::unique_ptr<weft::blocking_pool<database>> pool_;
};

}  // namespace lobby
