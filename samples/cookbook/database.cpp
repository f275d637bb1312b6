// Players in a SQLite file: nothing blocks a coroutine, one player's saves keep their order, the last one is made although the
// player is stopped, and a deadline ends the wait for a save, not the save.
#include <sqlite3.h>

#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/when_all.hpp>
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
    auto made = db.query("create table if not exists players(name text primary key, gold integer)");
    if (!made.ok()) return made.status();
    return db;
  }

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

 private:
  explicit database(sqlite3* db) : db_{db, &sqlite3_close} {}
  weft::status error() const { return weft::unavailable(std::string{"sqlite: "} + sqlite3_errmsg(db_.get())); }

  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db_;
};
using players = weft::blocking_pool<database>;

/// The name is the key: what is saved and loaded under one name stays in order.
auto save(players* db, const std::string& name, int gold, weft::call_options options = {}) {
  const auto job = [=](database& d) { return d.query("insert or replace into players values(?1, ?2)", name, gold); };
  return db->run(name, job, options);
}
/// Need not be done when nobody waits for it any more.
auto load(players* db, const std::string& name) {
  const auto job = [=](database& d) { return d.query("select gold from players where name = ?1", name); };
  return db->run(name, job, weft::within{2s}, weft::if_abandoned::skip);
}

/// Wins gold until its connection ends or it is stopped. Yields what it had in the end.
weft::reply<int> play(players* db, std::string name, std::unique_ptr<weft::link> link, weft::scope& scope) {
  int gold = co_await weft::ok(load(db, name));
  while (auto won = co_await link->receive()) {
    gold += std::stoi(*won);
    std::ignore = scope.start(save(db, name, gold));  // the game goes on meanwhile
    std::ignore = link->send(std::to_string(gold));
  }
  // Perhaps stopped, but this one has to be made: after those above, and awaited.
  co_await weft::ok(weft::shield(save(db, name, gold), 5s));
  co_return gold;
}

/// Wins 60 gold and is thrown out. Fails unless what it had is what is in the file.
weft::task<weft::status> visit(weft::runtime* rt, players* db, std::string name, weft::scope& scope) {
  auto wire = weft::memory_links(rt->control(), rt->control());
  auto playing = scope.start(weft::with_scope(&play, db, name, std::move(wire.first)));
  for (const char* won : {"10", "20", "30"}) {
    std::ignore = wire.second->send(won);
    std::ignore = co_await wire.second->receive();
  }
  playing.stop();
  const int had = co_await weft::ok(std::move(playing));
  const int saved = co_await weft::ok(load(db, name));
  std::cout << name << " left with " << had << " gold, " << saved << " were saved\n";
  co_return had == saved ? weft::status{} : weft::internal_error("a save was lost");
}

weft::task<weft::status> evening(weft::runtime* rt, players* db, players* backup) {
  auto [a, b] =
      co_await weft::when_all(weft::with_scope(&visit, rt, db, "ann"), weft::with_scope(&visit, rt, db, "bob"));
  co_await weft::ok(a);
  co_await weft::ok(b);
  const int before = co_await weft::ok(load(db, "cleo"));
  co_await weft::ok(backup->run([](database& d) { return d.query("begin exclusive"); }));
  const auto late = co_await save(db, "cleo", before + 7, weft::within{20ms});
  co_await weft::ok(backup->run([](database& d) { return d.query("commit"); }));
  const int after = co_await weft::ok(load(db, "cleo"));  // behind the save
  std::cout << "a backup locks the file: " << late.status() << "; then " << after - before << " more are saved\n";
  const bool right = late.code() == weft::code::deadline_exceeded && after == before + 7;
  co_return right ? weft::status{} : weft::internal_error("the deadline ended the save");
}

}  // namespace

int main(int argc, char** argv) {
  weft::runtime rt;
  const auto open = [file = std::string{argc > 1 ? argv[1] : "players.db"}] { return database::open(file); };
  players db{open, {.name = "players", .threads = 2}}, backup{open, {.name = "backup", .threads = 1}};
  const auto outcome = weft::sync_wait(rt, evening(&rt, &db, &backup));
  rt.stop();  // first those who save, then where they save
  if (!outcome.ok()) std::cerr << "database: " << outcome << "\n";
  return outcome.ok() ? 0 : 1;
}
