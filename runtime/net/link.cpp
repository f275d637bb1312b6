#include <weft/runtime/net/link.hpp>

#include <iterator>
#include <utility>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

link::link(strand& home, std::shared_ptr<transport> carrier, link_options options)
    : home_{home.home()}, transport_{std::move(carrier)}, options_{options} {
  if (options_.inbound_messages == 0 || options_.inbound_messages >= std::size_t{1} << 20) {
    misuse("link_options::inbound_messages is out of range: it has to be above 0 and below 2^20");
  }
  transport_->start(*this, home_, options_);  // last: from here on messages arrive on that worker
}

link::~link() {
  assert_here();
  close();
  transport_->release();
}

void link::assert_here() const noexcept {
  if (worker::current() != &home_) {
    misuse("a link was used or destroyed off its worker: use it in tasks of the strand it was made with, and end them "
           "first");
  }
}

bool link::wait_for_message(receiver& r, std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  assert_here();
  if (ctx.stopped()) {
    receiver_stopped();
    return false;
  }
  if (!inbound_.empty()) {
    r.message_ = std::move(inbound_.front());
    inbound_.pop_front();
    transport_->received(r.message_->size());
    return false;
  }
  if (inbound_over_) return false;
  end_ = {};
  return receivers_.wait_in(r, h, ctx, where);
}

void link::receiver_stopped() {
  if (!inbound_over_) end_ = cancelled("the receiving task was stopped");
}

status link::enqueue(payload message) {
  assert_here();
  if (!unsendable_.ok()) return unsendable_;
  const auto bytes = message.bytes().size();
  if (bytes > options_.max_frame) return frame_too_long(bytes, options_.max_frame);
  if (!fits(bytes)) {
    if (auto s = make_room(bytes); !s.ok()) return s;
  }
  outbound_bytes_ += bytes;
  outbound_.push_back(std::move(message));
  if (!std::exchange(expecting_writable_, true)) transport_->call_back();
  return {};
}

bool link::fits(std::size_t bytes) const noexcept {
  return outbound_.empty() ||
         (outbound_.size() < options_.outbound_messages && outbound_bytes_ + bytes <= options_.outbound_bytes);
}

status link::make_room(std::size_t bytes) {
  if (options_.slow == slow_policy::drop_oldest) {
    while (!fits(bytes)) {
      outbound_bytes_ -= outbound_.front().bytes().size();
      outbound_.pop_front();
      ++counters_.dropped;
    }
    return {};
  }
  auto full = resource_exhausted("link to " + peer() + " has " + std::to_string(outbound_.size()) + " messages, " +
                                 std::to_string(outbound_bytes_) + " bytes queued");
  ++counters_.refused;
  if (options_.slow == slow_policy::refuse) return full;
  full = resource_exhausted(full.message() + ": it was cut off as too slow");
  finished_ = true;
  no_more_messages(full);
  no_more_sending(full);
  transport_->abort();
  return full;
}

void link::on_writable() noexcept {
  expecting_writable_ = false;
  flush();
}

void link::flush() noexcept {
  if (finished_) return;
  while (!outbound_.empty()) {
    if (!transport_->ready()) {
      expecting_writable_ = true;
      return;
    }
    transport_->write(next_batch());
  }
}

std::vector<payload> link::next_batch() {
  std::vector<payload> batch;
  std::size_t total = 0;
  while (!outbound_.empty() && batch.size() < batch_messages) {
    const auto bytes = outbound_.front().bytes().size();
    if (!batch.empty() && total + bytes > batch_bytes) break;
    total += bytes;
    batch.push_back(std::move(outbound_.front()));
    outbound_.pop_front();
  }
  outbound_bytes_ -= total;
  counters_.messages_out += batch.size();
  counters_.bytes_out += total;
  return batch;
}

void link::close() noexcept {
  assert_here();
  if (finished_) return;
  finished_ = true;
  counters_.messages_out += outbound_.size();
  counters_.bytes_out += outbound_bytes_;
  transport_->finish({std::make_move_iterator(outbound_.begin()), std::make_move_iterator(outbound_.end())});
  outbound_.clear();
  no_more_messages({});
  no_more_sending(unavailable("the link to " + peer() + " was closed"));
}

// What was not received is given up only when this side wants no more.
void link::no_more_messages(status why) noexcept {
  if (finished_) inbound_.clear();
  if (std::exchange(inbound_over_, true)) return;
  end_ = std::move(why);
  receivers_.wake_all();
}

void link::no_more_sending(status why) noexcept {
  if (unsendable_.ok()) unsendable_ = std::move(why);
  counters_.dropped += outbound_.size();
  outbound_.clear();
  outbound_bytes_ = 0;
}

void link::on_message(std::string message) noexcept {
  if (finished_) return;
  ++counters_.messages_in;
  counters_.bytes_in += message.size();
  if (auto* waiting = static_cast<receiver*>(receivers_.pop())) {
    transport_->received(message.size());
    waiting->message_ = std::move(message);
    wait_list::wake(*waiting);
  } else {
    inbound_.push_back(std::move(message));
  }
}

void link::on_end(status why) noexcept {
  if (!finished_) no_more_messages(std::move(why));
}

void link::on_broken(status why) noexcept {
  if (!finished_) no_more_sending(std::move(why));
}

void link::on_closed() noexcept {
  if (!finished_) no_more_sending(unavailable("the connection to " + peer() + " is closed"));
  closed_.set();
}

}  // namespace weft
