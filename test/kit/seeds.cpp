#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <weft/test/seeds.hpp>

namespace weft::test {
namespace {

std::string quoted(const std::string& argument) {
  if (argument.find_first_of(" '\"$*?\\;&|<>()[]{}`!#~\t\n") == std::string::npos) return argument;
  std::string out = "'";
  for (const char c : argument) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + "'";
}

std::string command_line() {
  std::ifstream file{"/proc/self/cmdline", std::ios::binary};
  const std::string all{std::istreambuf_iterator<char>{file}, {}};
  std::string out;
  for (std::size_t at = 0; at < all.size();) {
    const auto end = std::min(all.find('\0', at), all.size());
    if (!out.empty()) out += ' ';
    out += quoted(all.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// The report of the seed that runs, ready to be written, from a signal handler too. Null: there is none, or it was written.
std::atomic<const std::string*> to_report{nullptr};
struct sigaction before_us;

extern "C" void weft_test_aborted(int signal) {
  report_seed();
  ::sigaction(signal, &before_us, nullptr);
  ::raise(signal);  // comes to whoever was there before, after this returns
}

class watch_aborts {
 public:
  watch_aborts() noexcept {
    struct sigaction ours{};
    ours.sa_handler = &weft_test_aborted;
    ::sigemptyset(&ours.sa_mask);
    ::sigaction(SIGABRT, &ours, &before_us);
  }
  ~watch_aborts() {
    to_report = nullptr;
    ::sigaction(SIGABRT, &before_us, nullptr);
  }
  watch_aborts(const watch_aborts&) = delete;
};

}  // namespace

void report_seed() noexcept {
  if (const auto* text = to_report.exchange(nullptr)) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text->data(), text->size());
  }
}

void for_seeds(std::uint64_t n, const std::function<void(world&)>& f, world_options options,
               std::source_location where) {
  std::uint64_t first = 1;
  std::uint64_t last = n;
  if (const auto* only = std::getenv("WEFT_SEED"); only != nullptr && *only != '\0') {
    first = last = std::strtoull(only, nullptr, 10);
  }
  const auto file = std::string{where.file_name()};
  const auto place = file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
  const auto again = command_line();
  const watch_aborts watch;
  for (auto seed = first; seed <= last; ++seed) {
    const auto number = std::to_string(seed);
    std::string report{"weft::test: failed at "};
    report.append(place).append(" with seed ").append(number).append("; again:\nWEFT_SEED=").append(number);
    report.append(" ").append(again).append("\n");
    to_report = &report;
    options.seed = seed;
    try {
      world w{options};
      f(w);
    } catch (const hang& h) {
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, h.what(), std::char_traits<char>::length(h.what()));
      report_seed();
      throw;
    } catch (...) {
      report_seed();
      throw;
    }
    to_report = nullptr;
  }
}

}  // namespace weft::test
