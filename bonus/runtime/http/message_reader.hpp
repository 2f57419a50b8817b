// Reads HTTP/1.1 messages from a stream, body by body, with bounded memory. Internal to this folder.
#pragma once

#include <memory>
#include <span>

#include "bonus/runtime/http/message.hpp"
#include "bonus/runtime/http/timed_stream.hpp"

namespace bonus::runtime::http {

/// Errors of reads: kUnavailable (the peer is gone), kInvalid (malformed), kExhausted (head above the limit), kTimeout.
class MessageReader {
 public:
  virtual ~MessageReader() = default;
  /// The next head. Waits `limit` for its first byte and as long again for the rest. `skip_body`: the answer to a HEAD
  /// request.
  [[nodiscard]] virtual Task<Result<Head>> read_head(Duration limit, bool skip_body) = 0;
  /// True when kUnavailable or kTimeout came before any byte of a head: an idle connection that ends.
  [[nodiscard]] virtual bool idle() const = 0;
  /// 0 at the end of the body.
  [[nodiscard]] virtual Task<Result<std::size_t>> read_body(std::span<std::uint8_t> out, Duration limit) = 0;
  [[nodiscard]] virtual bool body_done() const = 0;
  /// Bytes that were read but belong to no message yet.
  [[nodiscard]] virtual Bytes take_rest() = 0;

  /// `stream` is borrowed.
  [[nodiscard]] static std::unique_ptr<MessageReader> requests(TimedStream& stream, std::size_t max_header_bytes);
  [[nodiscard]] static std::unique_ptr<MessageReader> responses(TimedStream& stream, std::size_t max_header_bytes);
};

}  // namespace bonus::runtime::http
