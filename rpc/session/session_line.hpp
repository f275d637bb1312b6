#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/session/session_core.hpp>
#include <weft/rpc/session/session_wire.hpp>
#include <weft/runtime/config.hpp>

namespace weft::detail {

/// One stream of a client's session, from the attempt to connect to its end; deletes itself then.
///
///   starting   the tag of StartCall is out
///   open       the wire reads and writes
///   ending     it is broken, or closed: what is out comes back, then
///   finishing  the tag of Finish is out; when it has come, and what the server called is gone, the line is gone.
class session_line final : session_host, session_wire::stream, outgoing_call {
 public:
  explicit session_line(std::shared_ptr<session_core> core);

  void begin() noexcept;
  session_wire& wire() noexcept { return wire_; }
  /// Ends it at once; its calls come back.
  void cancel() noexcept;
  /// Ends it when all is answered.
  void close_when_answered() noexcept;

 private:
  template <void (session_line::*Then)(bool)>
  struct step final : operation {
    explicit step(session_line& l) noexcept : line{l} {}
    void on_event(bool ok) noexcept override { (line.*Then)(ok); }
    session_line& line;
  };

  void started(bool ok);
  void half_closed(bool) {
    half_closing_ = false;
    progressed();
  }
  void finished(bool);
  void end_if_gone() noexcept;

  void read(grpc::ByteBuffer& into, void* tag) override { stream_->Read(&into, tag); }
  void write(const grpc::ByteBuffer& message, void* tag) override { stream_->Write(message, tag); }

  offer find(std::string_view path) noexcept override;
  status admit(server_origin&, const char*) override { return {}; }
  void left(server_origin&) noexcept override {}
  const grpc::ServerContext* stream_context() const noexcept override { return nullptr; }
  std::string stream_peer() const override { return context_.peer(); }
  metadata stream_metadata() const override { return from_grpc(context_.GetServerInitialMetadata()); }
  std::shared_ptr<session_outlet> outlet_back() override { return core_; }
  const std::vector<server_middleware>& middleware() const noexcept override { return no_middleware_; }
  void count_malformed() noexcept override {}
  void count_unimplemented() noexcept override {}
  void window_opened() noexcept override;
  void gap(std::uint64_t key) noexcept override { core_->gap_sent(key); }
  void returned(session_item& item) noexcept override { core_->returned(item); }
  void peer_goes_away() noexcept override;
  void key_answered(std::uint64_t key) noexcept override { core_->key_answered(key); }
  void progressed() noexcept override;
  void cancel_for_shutdown() noexcept override;

  const std::shared_ptr<session_core> core_;
  completion_queue& queue_;
  grpc::ClientContext context_;
  std::unique_ptr<client_byte_stream> stream_;
  session_wire wire_;
  step<&session_line::started> started_{*this};
  step<&session_line::half_closed> half_closed_{*this};
  step<&session_line::finished> finished_{*this};
  grpc::Status outcome_{grpc::StatusCode::UNAVAILABLE, "the runtime has ended"};
  const std::vector<server_middleware> no_middleware_;
  bool starting_ = false;
  bool closing_ = false;       // when all is answered, both ways
  bool half_closing_ = false;  // its tag is out
  bool half_closed_once_ = false;
  bool said_open_ = false;
  bool cancelled_ = false;
  bool finishing_ = false;
  bool over_ = false;
};

}  // namespace weft::detail
