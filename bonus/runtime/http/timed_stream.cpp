// Deadlines on streams, and streams with bytes put back.
#include "bonus/runtime/http/timed_stream.hpp"

namespace bonus::runtime::http {

Deadline::Deadline(const Executor& executor, std::weak_ptr<ByteStream> stream)
    : timer_(executor), state_(std::make_shared<State>()), stream_(std::move(stream)) {}

void Deadline::arm(Duration limit) {
  const auto generation = ++state_->generation;
  timer_.expires_after(limit);
  timer_.async_wait([state = state_, stream = stream_, generation](boost::system::error_code error) {
    if (error) return;
    // A handler that was queued already when the operation ended must not close the stream.
    auto expected = generation;
    if (!state->generation.compare_exchange_strong(expected, generation + 1)) return;
    state->fired = true;
    if (const auto alive = stream.lock()) alive->close();
  });
}

void Deadline::disarm() {
  ++state_->generation;
  timer_.cancel();
}

TimedStream::TimedStream(const Executor& executor, std::shared_ptr<ByteStream> stream)
    : stream_(std::move(stream)), read_deadline_(executor, stream_), write_deadline_(executor, stream_) {}

Task<Result<std::size_t>> TimedStream::read(std::span<std::uint8_t> out, Duration limit) {
  read_deadline_.arm(limit);
  auto result = co_await read_more(out);
  read_deadline_.disarm();
  co_return result;
}

Task<Result<std::size_t>> TimedStream::read_more(std::span<std::uint8_t> out) {
  auto result = co_await stream_->read(out);
  if ((!result || *result == 0) && read_deadline_.fired())
    co_return fail(ErrorCode::kTimeout, "the peer sent nothing for too long");
  co_return result;
}

Task<Result<>> TimedStream::write(BytesView in, Duration limit) {
  // In pieces, so that the limit bounds the time without progress and not that of the whole body.
  constexpr std::size_t kPiece = 256 << 10;
  while (!in.empty()) {
    const auto piece = in.first(std::min(kPiece, in.size()));
    in = in.subspan(piece.size());
    write_deadline_.arm(limit);
    auto result = co_await stream_->write(piece);
    write_deadline_.disarm();
    if (!result && write_deadline_.fired())
      co_return fail(ErrorCode::kTimeout, "the peer accepted nothing for too long");
    if (!result) co_return result;
  }
  co_return Result<>();
}

namespace {

class PrefixedStream final : public ByteStream {
 public:
  PrefixedStream(Bytes first, std::shared_ptr<ByteStream> stream)
      : first_(std::move(first)), stream_(std::move(stream)) {}
  ~PrefixedStream() override { stream_->close(); }

  Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override {
    if (used_ == first_.size()) co_return co_await stream_->read(out);
    const auto n = std::min(out.size(), first_.size() - used_);
    std::copy_n(first_.begin() + static_cast<std::ptrdiff_t>(used_), n, out.begin());
    used_ += n;
    co_return n;
  }
  Task<Result<>> write(BytesView in) override { return stream_->write(in); }
  Task<Result<>> close_write() override { return stream_->close_write(); }
  void close() override { stream_->close(); }

 private:
  Bytes first_;
  std::size_t used_ = 0;
  std::shared_ptr<ByteStream> stream_;  // a server's registry of connections looks at it too
};

}  // namespace

std::unique_ptr<ByteStream> with_prefix(Bytes first, std::shared_ptr<ByteStream> stream) {
  return std::make_unique<PrefixedStream>(std::move(first), std::move(stream));
}

}  // namespace bonus::runtime::http
