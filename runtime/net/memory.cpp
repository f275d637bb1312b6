#include <weft/runtime/net/memory.hpp>

#include <deque>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/strand.hpp>

namespace weft {
namespace {

/// One end. Everything belongs to its own worker but the letterboxes, which the peer fills before it sends the note that
/// goes with them, and must not touch again until it has been answered:
///
///   1. To write, an end puts a batch into the peer's `batch_box_` and sends the peer's `batch_came_`.
///   2. The peer delivers it to its link within the inbound bounds; when all is delivered it sends back `batch_taken_`, and
///      the writer is ready again. So a receiver that does not receive holds the sender up.
///   3. To finish, an end puts the rest into the peer's `rest_box_` and sends the peer's `finish_came_`, its last note; to
///      abort, `abort_came_`.
/// A note that cannot be sent says that the peer is gone. The ends hold each other until the first of these last notes.
class memory_end final : public transport {
 public:
  explicit memory_end(std::size_t chunk) noexcept : chunk_{chunk} {}

  static void join(const std::shared_ptr<memory_end>& a, const std::shared_ptr<memory_end>& b) {
    a->peer_ = b;
    b->peer_ = a;
  }

  bool ready() noexcept override {
    if (batch_out_) writable_wanted_ = true;
    return !batch_out_;
  }

  void write(std::vector<payload> batch) noexcept override {
    batch_out_ = true;
    if (peer_ != nullptr) {
      peer_->batch_box_ = std::move(batch);
      if (peer_->batch_came_.send(peer_, peer_->way())) return;
    }
    peer_gone_.send(self(), way());
  }

  void received(std::size_t bytes) noexcept override {
    --unreceived_messages_;
    unreceived_bytes_ -= bytes;
    const bool half_free = unreceived_messages_ <= inbound_messages_ / 2 && unreceived_bytes_ <= inbound_bytes_ / 2;
    if (paused_ && half_free && !std::exchange(going_on_, true)) go_on_.send(self(), way());
  }

  void finish(std::vector<payload> rest) noexcept override {
    if (peer_ != nullptr) {
      peer_->rest_box_ = std::move(rest);
      peer_->finish_came_.send(peer_, peer_->way());
    }
    leave();
  }

  void abort() noexcept override {
    if (peer_ != nullptr) peer_->abort_came_.send(peer_, peer_->way());
    leave();
  }

  std::string peer() const override { return "memory"; }

 private:
  std::shared_ptr<memory_end> self() noexcept { return std::static_pointer_cast<memory_end>(shared_from_this()); }

  void started(const link_options& options) override {
    max_frame_ = options.max_frame;
    inbound_messages_ = options.inbound_messages;
    inbound_bytes_ = options.inbound_bytes;
    decoder_.emplace(max_frame_);
  }

  void leave() noexcept {
    left_ = true;
    pending_.clear();
    peer_.reset();
    closed_.send(self(), way());
  }

  void on_batch() noexcept {
    if (left_) return;
    add_pending(std::exchange(batch_box_, {}));
    batch_owed_ = true;
    if (!paused_) deliver();
  }

  void on_batch_taken() noexcept {
    batch_out_ = false;
    if (std::exchange(writable_wanted_, false) && to() != nullptr) to()->on_writable();
  }

  void on_finish() noexcept {
    if (left_) return;
    add_pending(std::exchange(rest_box_, {}));
    peer_.reset();
    to()->on_broken(unavailable("the peer closed the link"));
    peer_finished_ = true;
    if (!paused_) deliver();
  }

  void on_abort() noexcept {
    if (left_) return;
    pending_.clear();
    peer_.reset();
    to()->on_broken(unavailable("the peer reset the link"));
    end(unavailable("the peer reset the link"));
  }

  void on_peer_gone() noexcept {
    if (!left_) to()->on_broken(unavailable("the peer has closed the link"));
  }

  void on_go_on() noexcept {
    going_on_ = paused_ = false;
    if (!left_) deliver();
  }

  void on_closed() noexcept {
    if (to() != nullptr) to()->on_closed();
  }

  void add_pending(std::vector<payload> more) {
    pending_.insert(pending_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }

  void deliver() noexcept {
    while (!pending_.empty()) {
      if (unreceived_messages_ >= inbound_messages_ || unreceived_bytes_ >= inbound_bytes_) {
        paused_ = true;
        return;
      }
      auto message = through_frames(std::move(pending_.front()));
      pending_.pop_front();
      if (!message) {
        pending_.clear();
        end(decoder_->error());
        return;
      }
      ++unreceived_messages_;
      unreceived_bytes_ += message->size();
      to()->on_message(std::move(*message));
    }
    if (std::exchange(batch_owed_, false) && peer_ != nullptr) peer_->batch_taken_.send(peer_, peer_->way());
    if (peer_finished_) end({});
  }

  // Empty when it is refused.
  std::optional<std::string> through_frames(payload message) {
    if (chunk_ == 0 && message.bytes().size() <= max_frame_) return std::move(message).take();
    std::string frame;
    encode_frame(message.bytes(), frame);
    const auto slice = chunk_ != 0 ? chunk_ : frame.size();
    for (std::size_t at = 0; at < frame.size(); at += slice) {
      auto input = std::string_view{frame}.substr(at, slice);
      auto decoded = decoder_->next(input);
      if (decoded || !decoder_->error().ok()) return decoded;
    }
    return std::nullopt;
  }

  void end(status why) noexcept {
    if (!std::exchange(ended_, true)) to()->on_end(std::move(why));
  }

  const std::size_t chunk_;
  std::size_t max_frame_ = 0;
  std::size_t inbound_messages_ = 0;
  std::size_t inbound_bytes_ = 0;

  std::shared_ptr<memory_end> peer_;
  std::optional<frame_decoder> decoder_;
  std::deque<payload> pending_;  // came, but not delivered
  std::size_t unreceived_messages_ = 0;
  std::size_t unreceived_bytes_ = 0;
  bool batch_out_ = false;   // ours is with the peer
  bool batch_owed_ = false;  // the peer's is with us
  bool writable_wanted_ = false;
  bool paused_ = false;    // until `go_on_` has come
  bool going_on_ = false;  // it is on its way
  bool peer_finished_ = false;
  bool ended_ = false;
  bool left_ = false;

  // Letterboxes, and the notes that the peer sends.
  std::vector<payload> batch_box_;
  std::vector<payload> rest_box_;
  note<memory_end, &memory_end::on_batch> batch_came_;
  note<memory_end, &memory_end::on_batch_taken> batch_taken_;
  note<memory_end, &memory_end::on_finish> finish_came_;
  note<memory_end, &memory_end::on_abort> abort_came_;

  // Notes to itself, so that the link is not called beneath its own call.
  note<memory_end, &memory_end::on_peer_gone> peer_gone_;
  note<memory_end, &memory_end::on_go_on> go_on_;
  note<memory_end, &memory_end::on_closed> closed_;
};

}  // namespace

std::pair<std::unique_ptr<link>, std::unique_ptr<link>> memory_links(strand& a, strand& b, link_options options,
                                                                     std::size_t chunk) {
  return memory_links(a, b, options, options, chunk);
}

std::pair<std::unique_ptr<link>, std::unique_ptr<link>> memory_links(strand& a, strand& b, link_options options_a,
                                                                     link_options options_b, std::size_t chunk) {
  const auto end_a = std::make_shared<memory_end>(chunk);
  const auto end_b = std::make_shared<memory_end>(chunk);
  memory_end::join(end_a, end_b);
  return {std::make_unique<link>(a, end_a, options_a), std::make_unique<link>(b, end_b, options_b)};
}

}  // namespace weft
