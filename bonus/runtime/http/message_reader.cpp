// The Beast parser behind MessageReader.
#include "bonus/runtime/http/message_reader.hpp"

#include <fmt/format.h>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>

namespace bonus::runtime::http {
namespace {

namespace beast = boost::beast::http;

constexpr std::size_t kFirstBuffer = 4 << 10;  // idle connections hold no more than this
constexpr std::size_t kBodyBuffer = 64 << 10;

template <bool kRequest>
class ParserReader final : public MessageReader {
 public:
  ParserReader(TimedStream& stream, std::size_t max_header_bytes)
      : stream_(stream), max_header_bytes_(std::max<std::size_t>(max_header_bytes, 256)) {}

  Task<Result<Head>> read_head(Duration limit, bool skip_body) override {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(max_header_bytes_, UINT32_MAX)));
    parser_->body_limit(boost::none);
    parser_->eager(false);
    parser_->skip(skip_body);
    idle_ = begin_ == end_;
    if (idle_) {
      make_room(kFirstBuffer);
      auto first = co_await stream_.read(room(), limit);
      if (!first) co_return fail(std::move(first).error());
      if (*first == 0) co_return fail(ErrorCode::kUnavailable, "the peer closed the connection");
      end_ += *first;
      idle_ = false;
    }
    stream_.read_deadline().arm(limit);
    auto result = co_await parse_head();
    stream_.read_deadline().disarm();
    if (!result) co_return fail(std::move(result).error());
    co_return describe();
  }

  bool idle() const override { return idle_; }
  bool body_done() const override { return !parser_ || parser_->is_done(); }

  Task<Result<std::size_t>> read_body(std::span<std::uint8_t> out, Duration limit) override {
    if (body_done() || out.empty()) co_return 0;
    auto& body = parser_->get().body();
    body.data = out.data();
    body.size = out.size();
    body.more = true;
    bool hungry = begin_ == end_;
    for (;;) {
      if (hungry) {
        make_room(kBodyBuffer);
        if (room().empty()) co_return fail(ErrorCode::kInvalid, "a chunk header or trailer of the body is too long");
        CO_TRY_ASSIGN(const std::size_t n, co_await stream_.read(room(), limit));
        if (n == 0) co_return end_of_stream();
        end_ += n;
      }
      const auto error = put();
      if (const auto produced = out.size() - body.size; produced > 0) co_return produced;
      if (error && error != beast::error::need_more && error != beast::error::need_buffer)
        co_return fail(ErrorCode::kInvalid, fmt::format("the body is malformed ({})", error.message()));
      if (parser_->is_done()) co_return 0;
      hungry = begin_ == end_ || error == beast::error::need_more;
    }
  }

  Bytes take_rest() override {
    Bytes out(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_));
    begin_ = end_ = 0;
    return out;
  }

 private:
  Task<Result<>> parse_head() {
    std::size_t consumed = 0;
    for (;;) {
      const auto unread = end_ - begin_;
      const auto error = unread == 0 ? boost::system::error_code(beast::error::need_more) : put();
      consumed += unread - (end_ - begin_);
      if (parser_->is_header_done() && !error) co_return Result<>();
      const auto waiting = parser_->is_header_done() ? 0 : end_ - begin_;
      if (error == beast::error::header_limit || consumed + waiting > max_header_bytes_)
        co_return fail(ErrorCode::kExhausted,
                       fmt::format("the header fields are longer than {} bytes", max_header_bytes_));
      if (error && error != beast::error::need_more)
        co_return fail(ErrorCode::kInvalid, fmt::format("the message is not HTTP/1.1 ({})", error.message()));
      if (!error) continue;
      make_room(std::max(kFirstBuffer, max_header_bytes_ + 1024));
      CO_TRY_ASSIGN(const std::size_t n, co_await stream_.read_more(room()));
      if (n == 0)
        co_return fail(ErrorCode::kUnavailable, "the peer closed the connection in the middle of a message head");
      end_ += n;
    }
  }

  Result<Head> describe() {
    const auto& message = parser_->get();
    Head head;
    head.version = message.version();
    if constexpr (kRequest) {
      head.method = std::string(message.method_string());
      head.target = std::string(message.target());
    } else {
      head.status = static_cast<int>(message.result_int());
    }
    for (const auto& field : message) head.headers.add(field.name_string(), std::string(field.value()));
    head.keep_alive = parser_->keep_alive();
    head.chunked = parser_->chunked();
    if (const auto length = parser_->content_length()) head.content_length = *length;
    // A coding that we cannot delimit would let two parties disagree on where the message ends (RFC 9112, 6.3).
    if (head.headers.get("Transfer-Encoding") && !head.chunked)
      return fail(ErrorCode::kInvalid, "the Transfer-Encoding is not supported");
    return head;
  }

  Result<std::size_t> end_of_stream() {
    boost::system::error_code error;
    parser_->put_eof(error);
    if (error) return fail(ErrorCode::kUnavailable, "the peer closed the connection in the middle of a body");
    return 0;
  }

  boost::system::error_code put() {
    boost::system::error_code error;
    begin_ += parser_->put(boost::asio::const_buffer(buffer_.data() + begin_, end_ - begin_), error);
    if (begin_ == end_) begin_ = end_ = 0;
    return error;
  }
  /// Moves what is unread to the front and grows the buffer by what it needs, up to `limit`.
  void make_room(std::size_t limit) {
    if (begin_ > 0) {
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == buffer_.size() || limit == kBodyBuffer)
      buffer_.resize(std::max(
          buffer_.size(), std::min(limit, std::max(kFirstBuffer, limit == kBodyBuffer ? limit : buffer_.size() * 2))));
  }
  [[nodiscard]] std::span<std::uint8_t> room() { return std::span(buffer_).subspan(end_); }

  using Parser = beast::parser<kRequest, beast::buffer_body>;
  TimedStream& stream_;
  std::size_t max_header_bytes_;
  std::optional<Parser> parser_;
  Bytes buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool idle_ = true;
};

}  // namespace

std::unique_ptr<MessageReader> MessageReader::requests(TimedStream& stream, std::size_t max_header_bytes) {
  return std::make_unique<ParserReader<true>>(stream, max_header_bytes);
}
std::unique_ptr<MessageReader> MessageReader::responses(TimedStream& stream, std::size_t max_header_bytes) {
  return std::make_unique<ParserReader<false>>(stream, max_header_bytes);
}

}  // namespace bonus::runtime::http
