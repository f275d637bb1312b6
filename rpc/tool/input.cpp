#include "input.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <tuple>

namespace weft::tool {

class input::standard_input {
 public:
  standard_input() : enough_{::eventfd(0, EFD_CLOEXEC)} {}
  ~standard_input() { ::close(enough_); }
  standard_input(const standard_input&) = delete;

  // Blocks until there is something; empty at the end, and after `interrupt`.
  std::string read() const {
    std::array<pollfd, 2> either{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{enough_, POLLIN, 0}};
    while (::poll(either.data(), either.size(), -1) < 0 && errno == EINTR) {
    }
    if (either[1].revents != 0) return {};
    std::array<char, 16'384> bytes;
    const auto count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    return count > 0 ? std::string{bytes.data(), static_cast<std::size_t>(count)} : std::string{};
  }
  // Any thread.
  void interrupt() const {
    const std::uint64_t one = 1;
    std::ignore = ::write(enough_, &one, sizeof one);
  }

 private:
  int enough_;
};

result<std::unique_ptr<input>> input::open(const std::string& what) {
  std::unique_ptr<input> made{new input};
  if (what == "-") {
    made->in_ = std::make_shared<standard_input>();
    made->reading_.emplace([in = made->in_] { return in; },
                           blocking_pool_options{.name = "stdin", .threads = 1, .log = {}});
  } else if (what.starts_with('@')) {
    std::ifstream file{what.substr(1), std::ios::binary};
    if (!file) return invalid_argument("cannot read '" + what.substr(1) + "'");
    made->values_.add(std::string{std::istreambuf_iterator<char>{file}, {}});
  } else {
    made->values_.add(what);
  }
  return made;
}

input::~input() {
  if (in_) in_->interrupt();
}

task<std::optional<std::string>> input::next() {
  const auto read = [](const std::shared_ptr<standard_input>& in) { return in->read(); };
  for (;;) {
    if (auto value = values_.next()) co_return value;
    if (!reading_) co_return values_.rest();
    const auto piece = co_await reading_->run(read, within{duration::max()});
    if (!piece.ok()) co_return std::nullopt;  // stopped
    if (piece->empty()) co_return values_.rest();
    values_.add(*piece);
  }
}

}  // namespace weft::tool
