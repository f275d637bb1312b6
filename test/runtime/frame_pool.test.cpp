#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <malloc.h>
#include <thread>
#include <vector>
#include <weft/runtime/config.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/visit.hpp>

namespace {

std::vector<void*> allocate(std::size_t count, std::size_t bytes) {
  std::vector<void*> frames(count);
  for (auto& f : frames) f = weft::frame_pool::allocate(bytes);
  return frames;
}
void free_all(const std::vector<void*>& frames) {
  for (auto* f : frames) weft::frame_pool::deallocate(f);
}

}  // namespace

TEST_SUITE("frame_pool") {
  TEST_CASE("frames of every size hold what was written until they are freed, wherever that is") {
    weft::runtime rt{{.workers = 2}};
    struct frame {
      void* at;
      std::size_t bytes;
      unsigned char mark;
    };
    bool intact = true;
    for (int round = 0; round < 3; ++round) {
      std::vector<frame> frames;
      const auto fill = [&frames, round] {
        for (std::size_t bytes = 1; bytes <= weft::frame_pool::largest + 200; bytes += 13) {
          const auto mark = static_cast<unsigned char>(bytes + static_cast<std::size_t>(round));
          frames.push_back({weft::frame_pool::allocate(bytes), bytes, mark});
          std::memset(frames.back().at, mark, bytes);
        }
      };
      weft::visit(rt.worker_at(0), fill);
      weft::visit(rt.worker_at(1), fill);
      fill();
      // Every third frame is freed by each of the workers and by this thread, which is none.
      const auto free_from = [&](std::size_t first) {
        for (auto i = first; i < frames.size(); i += 3) {
          const auto* bytes = static_cast<const unsigned char*>(frames[i].at);
          intact = intact && std::all_of(bytes, bytes + frames[i].bytes, [&](auto b) { return b == frames[i].mark; });
          CHECK(reinterpret_cast<std::uintptr_t>(bytes) % __STDCPP_DEFAULT_NEW_ALIGNMENT__ == 0);
          weft::frame_pool::deallocate(frames[i].at);
        }
      };
      weft::visit(rt.worker_at(0), [&] { free_from(0); });
      weft::visit(rt.worker_at(1), [&] { free_from(1); });
      free_from(2);
    }
    CHECK(intact);
  }

  TEST_CASE("frames that workers and other threads free at the same time all come back whole") {
    weft::runtime rt;
    bool unique = true;
    for (int round = 0; round < 20; ++round) {
      std::vector<void*> frames;
      weft::visit(rt.worker_at(0), [&] { frames = allocate(3'000, 300); });
      auto sorted = frames;
      std::sort(sorted.begin(), sorted.end());
      unique = unique && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
      std::vector<std::thread> threads;
      for (std::size_t t = 0; t < 3; ++t) {
        threads.emplace_back([&frames, t] {
          for (std::size_t i = t * 1'000; i < (t + 1) * 1'000; ++i) weft::frame_pool::deallocate(frames[i]);
        });
      }
      // Meanwhile the owner takes back what has come so far.
      weft::visit(rt.worker_at(0), [] { free_all(allocate(100, 300)); });
      for (auto& t : threads) t.join();
    }
    CHECK(unique);
  }

  TEST_CASE("a frame may be freed after its worker has ended") {
    std::vector<void*> frames;
    {
      weft::runtime rt;
      weft::visit(rt.worker_at(0), [&] { frames = allocate(10, 100); });
    }
    free_all(frames);
  }

#if WEFT_POOL_FRAMES
  TEST_CASE("a frame freed on another thread returns to its owner, which hands it out again") {
    weft::runtime rt{{.workers = 2}};
    for (const bool on_worker : {false, true}) {
      std::vector<void*> first, second;
      weft::visit(rt.worker_at(0), [&] { first = allocate(100, 500); });
      if (on_worker) {
        weft::visit(rt.worker_at(1), [&] { free_all(first); });
      } else {
        free_all(first);
      }
      weft::visit(rt.worker_at(0), [&] {
        second = allocate(100, 500);
        free_all(second);
      });
      std::sort(first.begin(), first.end());
      std::sort(second.begin(), second.end());
      CHECK(first == second);
    }
  }

  TEST_CASE("a class keeps a bounded number of free frames, the rest goes back to the heap") {
    weft::runtime rt;
    constexpr std::size_t bytes = weft::frame_pool::largest;
    constexpr std::size_t kept = weft::frame_pool::kept;
    std::size_t before = 0, full = 0, after = 0;
    weft::visit(rt.worker_at(0), [&] {
      before = mallinfo2().uordblks;
      const auto frames = allocate(3 * kept, bytes);
      full = mallinfo2().uordblks;
      free_all(frames);
      after = mallinfo2().uordblks;
    });
    CHECK(full - before >= 3 * kept * bytes);
    CHECK(after - before >= kept * bytes);
    CHECK(after - before < 2 * kept * bytes);
  }
#endif
}
