// One request of a server connection and the framing of its response. Internal to this folder.
#pragma once

#include "bonus/runtime/http/http.hpp"
#include "bonus/runtime/http/message_reader.hpp"
#include "bonus/runtime/http/socket_stream.hpp"

namespace bonus::runtime::http {

class ServerExchange final : public Exchange {
 public:
  /// All references are borrowed from the connection's coroutine, which outlives the exchange.
  ServerExchange(std::shared_ptr<SocketStream> socket, TimedStream& stream, MessageReader& reader,
                 Duration idle_timeout);
  /// Takes the head; kInvalid when the request must be answered by 400.
  [[nodiscard]] Result<> begin(Head head, std::string peer);

  const Request& request() const override { return request_; }
  Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override;
  Task<Result<>> respond(int status, Headers headers, Bytes body) override;
  Task<Result<>> start(int status, Headers headers) override;
  Task<Result<>> write(BytesView in) override;
  Task<Result<>> finish() override;
  bool wants_upgrade() const override;
  Task<Result<std::unique_ptr<ByteStream>>> upgrade(Headers headers) override;
  std::unique_ptr<ByteStream> take_stream() override;
  Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::size_t message_limit_bytes) override;

  /// After the handler: true when the connection can carry another request. Sends 500 when the handler sent nothing.
  [[nodiscard]] Task<bool> end(bool handler_failed);
  [[nodiscard]] bool taken() const { return state_ == State::kTaken; }

 private:
  enum class State : std::uint8_t { kFresh, kStarted, kFinished, kTaken, kBroken };
  enum class Framing : std::uint8_t { kNone, kLength, kChunked, kToClose };
  [[nodiscard]] Task<Result<>> send_head(int status, Headers headers, BytesView body_behind);
  [[nodiscard]] bool can_keep_alive() const;
  [[nodiscard]] Error misuse(std::string_view what) const;

  std::shared_ptr<SocketStream> socket_;  // shared with the streams that upgrades hand out
  TimedStream& stream_;
  MessageReader& reader_;
  Duration idle_timeout_;
  Head head_;
  Request request_;
  State state_ = State::kFresh;
  Framing framing_ = Framing::kNone;
  std::uint64_t left_ = 0;  ///< Of a body with known length.
  bool keep_alive_ = false;
  bool expects_continue_ = false;
};

}  // namespace bonus::runtime::http
