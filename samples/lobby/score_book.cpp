#include "lobby/score_book.hpp"

#include <sqlite3.h>

#include <chrono>
#include <utility>

namespace lobby {

using namespace std::chrono_literals;

/// One connection. It blocks, so only the pool's threads use it.
class score_book::database {
 public:
  static weft::result<database> open(const std::string& file) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(file.c_str(), &opened);
    database db{opened, file};  // also after an error, which is in there
    if (code != SQLITE_OK) return db.error();
    sqlite3_busy_timeout(opened, 5'000);
    const auto* prepare =
        "create table if not exists scores(name text primary key, games integer not null, wins integer not null)";
    // A crash of the machine may cost the last games, never the file. A file that cannot be written fails at `begin`.
    for (const auto* sql :
         {"pragma journal_mode = wal", "pragma synchronous = normal", "begin immediate", prepare, "commit"}) {
      if (sqlite3_exec(opened, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return db.error();
    }
    if (auto probe = db.load(""); !probe.ok()) return probe.status();
    return db;
  }

  weft::result<score> load(const std::string& name) {
    return query("select games, wins from scores where name = ?1", name, 0);
  }
  weft::status add(const std::string& name, bool won) {
    return query("insert into scores values(?1, 1, ?2) on conflict(name) do update set games = games + 1, wins = wins "
                 "+ ?2",
                 name, won ? 1 : 0)
        .status();
  }

 private:
  database(sqlite3* db, std::string file) : db_{db, &sqlite3_close}, file_{std::move(file)} {}

  /// Yields the first row, or zeros.
  weft::result<score> query(const char* sql, const std::string& name, int won) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) return error();
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{prepared, &sqlite3_finalize};
    sqlite3_bind_text(prepared, 1, name.data(), static_cast<int>(name.size()), SQLITE_TRANSIENT);
    if (sqlite3_bind_parameter_count(prepared) > 1) sqlite3_bind_int(prepared, 2, won);
    const int code = sqlite3_step(prepared);
    if (code == SQLITE_DONE) return score{};
    if (code != SQLITE_ROW) return error();
    return score{static_cast<std::uint32_t>(sqlite3_column_int64(prepared, 0)),
                 static_cast<std::uint32_t>(sqlite3_column_int64(prepared, 1))};
  }
  weft::status error() const { return weft::unavailable("saves '" + file_ + "': " + sqlite3_errmsg(db_.get())); }

  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db_;
  std::string file_;
};

weft::result<std::unique_ptr<score_book>> score_book::open(const std::string& file) {
  if (auto first = database::open(file); !first.ok()) return first.status();  // better now than at the first login
  return std::unique_ptr<score_book>{new score_book{file}};
}

// SQLite writes one at a time anyhow: a second thread would only wait.
score_book::score_book(const std::string& file)
    : pool_{std::make_unique<weft::blocking_pool<database>>(
          [file] { return database::open(file); }, weft::blocking_pool_options{.name = "saves", .threads = 1})} {}

score_book::~score_book() = default;

weft::reply<score> score_book::load(std::string name) {
  auto query = [name](database& db) { return db.load(name); };
  auto job = pool_->run(name, std::move(query), weft::within{1s}, weft::if_abandoned::skip);
  co_return co_await std::move(job);
}

weft::task<weft::status> score_book::add(std::string name, bool won) {
  auto query = [name, won](database& db) { return db.add(name, won); };
  auto job = pool_->run(name, std::move(query));
  const auto added = co_await std::move(job);
  co_return added.status();
}

}  // namespace lobby
