// Players in a SQLite file: saving blocks no coroutine, one player's saves keep their order, the last one is made although
// the player is stopped.
#include <sqlite3.h>

#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace {

using namespace std::chrono_literals;

/// One connection. It blocks, so only the pool's threads use it.
class database {
 public:
  static weft::result<database> open(const std::string& file) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(file.c_str(), &opened);
    database db{opened};  // also after an error, which is in there
    if (code != SQLITE_OK) return db.error();
    sqlite3_busy_timeout(opened, 5'000);
    auto prepared = db.query("create table if not exists players(name text primary key, gold integer)");
    if (!prepared.ok()) return prepared.status();
    return db;
  }

  weft::status save(const std::string& name, int gold) {
    return query("insert or replace into players values(?1, ?2)", name, gold).status();
  }
  weft::result<int> load(const std::string& name) { return query("select gold from players where name = ?1", name); }

 private:
  explicit database(sqlite3* db) : db_{db, &sqlite3_close} {}

  /// Yields the first number of the first row, or 0.
  weft::result<int> query(const char* sql, const std::string& name = {}, int gold = 0) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) return error();
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{prepared, &sqlite3_finalize};
    sqlite3_bind_text(prepared, 1, name.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(prepared, 2, gold);
    const int code = sqlite3_step(prepared);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return error();
    return code == SQLITE_ROW ? sqlite3_column_int(prepared, 0) : 0;
  }
  weft::status error() const { return weft::unavailable(std::string{"sqlite: "} + sqlite3_errmsg(db_.get())); }

  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db_;
};

using players = weft::blocking_pool<database>;

/// The name is the key: what is saved and loaded under one name stays in order.
auto save(players* db, const std::string& name, int gold) {
  return db->run(name, [name, gold](database& d) { return d.save(name, gold); });
}
/// Need not be done when nobody waits for it any more.
auto load(players* db, const std::string& name) {
  return db->run(name, [name](database& d) { return d.load(name); }, weft::within{2s}, weft::if_abandoned::skip);
}

// [player]
/// Earns gold until it is stopped. Yields what it had in the end.
weft::reply<int> play(players* db, std::string name, weft::scope& scope) {
  int gold = co_await weft::ok(load(db, name));
  while ((co_await weft::sleep_for(5ms)).ok()) {
    gold += 10;
    std::ignore = scope.start(save(db, name, gold));  // the game goes on meanwhile
  }
  // Stopped, but this one has to be made: after those above, and awaited.
  co_await weft::ok(weft::shield(save(db, name, gold), 5s));
  co_return gold;
}
// [player]

/// Fails unless what is in the file is what the players had.
weft::task<weft::status> evening(players* db, weft::scope& scope) {
  const std::string names[] = {"ann", "bob", "cleo"};
  std::vector<weft::started<weft::result<int>>> playing;
  for (const auto& name : names) playing.push_back(scope.start(weft::with_scope(&play, db, name)));
  co_await weft::ok(co_await weft::sleep_for(100ms));
  for (auto& p : playing) p.stop();
  for (std::size_t i = 0; i < playing.size(); ++i) {
    const int had = co_await weft::ok(std::move(playing[i]));
    const int saved = co_await weft::ok(load(db, names[i]));
    std::cout << names[i] << " left with " << had << " gold, " << saved << " were saved\n";
    if (had != saved) co_return weft::internal_error("a save was lost");
  }
  co_return weft::status{};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    const bool help = argc == 2 && std::strcmp(argv[1], "--help") == 0;
    (help ? std::cout : std::cerr) << "usage: saves <file>\nLets three players earn gold, which is kept in the file.\n";
    return help ? 0 : 2;
  }
  weft::runtime rt;
  players db{[file = std::string{argv[1]}] { return database::open(file); }, {.name = "players", .threads = 2}};
  const auto outcome = weft::sync_wait(rt, weft::with_scope(&evening, &db));
  rt.stop();  // first those who save, then where they save
  db.stop();
  if (!outcome.ok()) std::cerr << "saves: " << outcome << "\n";
  return outcome.ok() ? 0 : 1;
}
