// A byte stream whose operations end when they make no progress. Internal to this folder.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "bonus/runtime/stream.hpp"

namespace bonus::runtime::http {

/// Closes a stream when it is not disarmed in time. Used by one coroutine at a time.
class Deadline {
 public:
  Deadline(const Executor& executor, std::weak_ptr<ByteStream> stream);
  void arm(Duration limit);
  void disarm();
  [[nodiscard]] bool fired() const { return state_->fired.load(); }

 private:
  struct State {
    std::atomic<std::uint64_t> generation{0};
    std::atomic<bool> fired{false};
  };
  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;  // shared with the timer's handler, which may be queued when this is gone
  std::weak_ptr<ByteStream> stream_;
};

/// One reader and one writer at a time. After kTimeout the stream is closed.
class TimedStream {
 public:
  /// Shared, because deadlines and a server's stop() close it from outside.
  TimedStream(const Executor& executor, std::shared_ptr<ByteStream> stream);
  [[nodiscard]] Task<Result<std::size_t>> read(std::span<std::uint8_t> out, Duration limit);
  [[nodiscard]] Task<Result<>> write(BytesView in, Duration limit);
  /// One limit for several reads: arm, read_more() as often as needed, disarm.
  [[nodiscard]] Deadline& read_deadline() { return read_deadline_; }
  [[nodiscard]] Task<Result<std::size_t>> read_more(std::span<std::uint8_t> out);
  [[nodiscard]] const std::shared_ptr<ByteStream>& stream() const { return stream_; }

 private:
  std::shared_ptr<ByteStream> stream_;
  Deadline read_deadline_, write_deadline_;
};

/// `first`, then what `stream` reads.
[[nodiscard]] std::unique_ptr<ByteStream> with_prefix(Bytes first, std::shared_ptr<ByteStream> stream);

}  // namespace bonus::runtime::http
