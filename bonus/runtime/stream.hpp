// A bidirectional byte stream: a TCP connection, a tunnel between nodes, an upgraded HTTP connection, a terminal.
#pragma once

#include <memory>
#include <span>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::runtime {

/// One reader and one writer at a time, both on the stream's executor. Errors: kUnavailable (peer gone), kCancelled,
/// kTimeout.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// At least one byte, or 0 at the end of the peer's data.
  [[nodiscard]] virtual Task<Result<std::size_t>> read(std::span<std::uint8_t> out) = 0;
  /// All bytes.
  [[nodiscard]] virtual Task<Result<>> write(BytesView in) = 0;
  /// Tells the peer that nothing more will be written; reading goes on.
  [[nodiscard]] virtual Task<Result<>> close_write() = 0;
  /// Ends both directions at once; pending operations fail with kCancelled. Any thread.
  virtual void close() = 0;
};

/// Copies both directions until both have ended or one fails; then closes both.
[[nodiscard]] Task<> splice(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b);
/// A TCP connection. `host` is an address or a name. kUnavailable, kTimeout.
[[nodiscard]] Task<Result<std::unique_ptr<ByteStream>>> connect_tcp(std::string host, std::uint16_t port,
                                                                    Duration timeout);
/// A Unix stream socket.
[[nodiscard]] Task<Result<std::unique_ptr<ByteStream>>> connect_unix(std::string path);
/// Takes ownership of a connected, non-blocking-capable descriptor (pipe end, pty master, socket).
[[nodiscard]] Result<std::unique_ptr<ByteStream>> adopt_descriptor(Executor executor, int fd);

}  // namespace bonus::runtime
