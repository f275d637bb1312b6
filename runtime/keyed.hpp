#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace weft {

struct keyed_options {
  const char* name = "keyed";  ///< For errors and dumps.
  std::size_t limit = 65'536;  ///< Services that may be active; one more gets RESOURCE_EXHAUSTED.
  duration idle_after{0};      ///< Deactivate what nobody has held, called or run in for so long; zero: never.
  duration farewell = std::chrono::seconds{5};  ///< For a service to play out and to save itself on deactivation, each.
};

struct keyed_counters {
  std::uint64_t activated = 0;
  std::uint64_t failed = 0;       ///< The maker had no service for the key.
  std::uint64_t refused = 0;      ///< At the limit.
  std::uint64_t deactivated = 0;  ///< Retired, since it was idle.
};

/// Services by key, made when they are activated: rooms, tables, players. One key is one service is one strand, as long as
/// anybody holds it.
///
/// Finding and activating are kept apart: `find` makes nothing, so ids that come from clients cost nothing but the look-up.
/// What nobody uses is retired (`service::retire`: it plays out and saves itself) and forgotten; who activates it meanwhile
/// waits and gets a new one. Belongs to one worker, where its services live too: touch it from strands of that worker. Stop
/// it, by `stop` or `stop_and_wait`, before it is destroyed.
template <class Key, class Service, class Hash = std::hash<Key>>
class keyed {
  struct entry;

 public:
  /// Makes the service of a key, from what was saved perhaps. A coroutine; its errors come out of `activate`. It has to make
  /// the service on the worker of this object.
  using maker = std::function<reply<std::unique_ptr<Service>>(Key)>;

  /// Holds one active service: as long as a handle of it exists it is not deactivated. Empty, or valid until this object is
  /// stopped. On the worker only.
  class handle {
   public:
    handle() noexcept = default;
    handle(const handle& other) noexcept : handle{other.entry_} {}
    handle(handle&& other) noexcept : entry_{std::move(other.entry_)} {}
    handle& operator=(handle other) noexcept {
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~handle() {
      if (entry_ && --entry_->handles == 0) entry_->touch();
    }

    explicit operator bool() const noexcept { return entry_ != nullptr; }
    Service& operator*() const noexcept { return *entry_->service; }
    Service* operator->() const noexcept { return entry_->service.get(); }
    const Key& key() const noexcept { return entry_->key; }

   private:
    friend keyed;
    explicit handle(std::shared_ptr<entry> e) noexcept : entry_{std::move(e)} {
      if (entry_) ++entry_->handles;
    }
    std::shared_ptr<entry> entry_;
  };

  keyed(runtime& rt, maker make, keyed_options options = {}, int worker = -1)
      : make_{std::move(make)}, options_{options}, own_{*this, rt, worker} {
    if (options_.idle_after > duration::zero())
      own_.tick_every(std::max<duration>(options_.idle_after / 4, timer_wheel::tick));
  }
  ~keyed() {
    if (!entries_.empty()) {
      misuse(std::string{"keyed '"} + options_.name + "' was destroyed with " + std::to_string(entries_.size()) +
             " services active: stop it first");
    }
  }
  keyed(const keyed&) = delete;
  keyed& operator=(const keyed&) = delete;

  /// The service of this key if it is active; an empty handle otherwise. Makes nothing.
  handle find(const Key& key) const {
    const auto found = entries_.find(key);
    return found != entries_.end() && found->second->stage == stage::active ? handle{found->second} : handle{};
  }

  /// The service of this key, made if need be, once however many ask. Errors: RESOURCE_EXHAUSTED (at the limit), UNAVAILABLE
  /// (stopped), the maker's. Cancel: who is stopped gets CANCELLED; the making goes on.
  reply<handle> activate(Key key) {
    for (;;) {
      auto e = find_or_make(key);
      if (!e.ok()) co_return std::move(e).status();
      auto one = std::move(*e);
      if (one->stage == stage::active) co_return handle{std::move(one)};
      if (auto s = co_await one->changed.wait(); !s.ok()) co_return s;
      if (!one->failure.ok()) co_return one->failure;
      if (one->stage == stage::active) co_return handle{std::move(one)};
    }
  }

  std::size_t size() const noexcept { return entries_.size(); }
  const keyed_counters& counters() const noexcept { return counters_; }

  /// Retires every service (`drain`) or stops it (`abort`), each at most for `keyed_options::farewell`; then nothing can be
  /// activated any more.
  task<> stop(stop_mode mode = stop_mode::drain) {
    std::ignore =
        co_await shield(own_.call([this, mode] { return stop_all(mode); }, within{duration::max()}), duration::max());
    co_await own_.stop();
  }
  /// For main().
  void stop_and_wait(stop_mode mode = stop_mode::drain) { sync_wait(own_.owner(), stop(mode)); }

 private:
  enum class stage : std::uint8_t { making, active, leaving, gone };

  struct entry {
    entry(Key k, worker& w) : key{std::move(k)}, home{w}, last_used{w.now()} {}
    void touch() noexcept { last_used = home.now(); }

    Key key;
    worker& home;
    std::unique_ptr<Service> service;
    keyed::stage stage = stage::making;
    status failure;
    event changed;  // made, failed, or gone
    std::size_t handles = 0;
    time_point last_used;
  };

  // Its own tasks: making, sweeping, retiring.
  struct housekeeper final : weft::service {
    housekeeper(keyed& k, runtime& rt, int worker)
        : service{rt, {.name = k.options_.name, .worker = worker}}, owner_of{k} {}
    void on_tick(duration) override { owner_of.sweep(); }
    keyed& owner_of;
  };

  result<std::shared_ptr<entry>> find_or_make(const Key& key) {
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
    if (stopping_) return unavailable(std::string{"keyed '"} + options_.name + "' is stopped");
    if (entries_.size() >= options_.limit) {
      ++counters_.refused;
      return resource_exhausted(std::string{"keyed '"} + options_.name + "' has " + std::to_string(options_.limit) +
                                " services active");
    }
    auto e = std::make_shared<entry>(key, own_.strand().home());
    entries_.emplace(key, e);
    own_.start(&keyed::make, this, e);
    return e;
  }

  task<> make(std::shared_ptr<entry> e) {
    auto made = co_await made_or_error(e->key);
    if (made.ok()) {
      ++counters_.activated;
      e->service = std::move(*made);
      e->stage = stage::active;
      e->touch();
    } else {
      ++counters_.failed;
      e->failure = made.status();
      entries_.erase(e->key);
      e->stage = stage::gone;
    }
    e->changed.set();
  }

  reply<std::unique_ptr<Service>> made_or_error(Key key) {
    try {
      co_return co_await make_(std::move(key));
    } catch (const std::exception& error) {
      co_return unknown_error(std::string{"making a service of keyed '"} + options_.name + "' threw: " + error.what());
    } catch (...) {
      co_return unknown_error(std::string{"making a service of keyed '"} + options_.name + "' threw");
    }
  }

  void sweep() {
    const auto now = own_.strand().home().now();
    for (const auto& [key, e] : entries_) {
      if (e->stage != stage::active) continue;
      if (e->handles != 0 || e->service->running() != 0 || e->service->waiting() != 0) {
        e->touch();
      } else if (now - e->last_used >= options_.idle_after) {
        e->stage = stage::leaving;
        e->changed.reset();
        ++counters_.deactivated;
        own_.start(&keyed::leave, this, e, stop_mode::drain);
      }
    }
  }

  task<> leave(std::shared_ptr<entry> e, stop_mode mode) {
    if (mode == stop_mode::drain) {
      std::ignore = co_await shield(e->service->retire(options_.farewell), duration::max());
    } else {
      co_await e->service->stop(mode);
    }
    e->service.reset();
    entries_.erase(e->key);
    e->stage = stage::gone;
    e->changed.set();
  }

  task<> stop_all(stop_mode mode) {
    stopping_ = true;
    while (!entries_.empty()) {
      std::vector<std::shared_ptr<entry>> all;
      for (const auto& [key, e] : entries_) all.push_back(e);
      for (const auto& e : all) {
        if (e->stage != stage::active) continue;
        e->stage = stage::leaving;
        e->changed.reset();
        own_.start(&keyed::leave, this, e, mode);
      }
      for (const auto& e : all) std::ignore = co_await shield(e->changed.wait(), duration::max());
    }
  }

  maker make_;
  keyed_options options_;
  std::unordered_map<Key, std::shared_ptr<entry>, Hash> entries_;
  bool stopping_ = false;
  keyed_counters counters_;
  housekeeper own_;
};

}  // namespace weft
