// What nodes say to each other about a lease: request headers, the answer's head and exec frames
// (docs/formats/node_services.md).
#pragma once

#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"
#include "bonus/compute/api/containers.hpp"
#include "bonus/runtime/stream.hpp"

namespace bonus::node {

enum class LeaseService : std::uint8_t { kConnect, kLogs, kExec, kInspect };
/// "lease.connect", ...
[[nodiscard]] std::string service_name(LeaseService service);

/// The header of a stream and the body of a call. Fields that a service does not use are zero.
struct LeaseRequest {
  std::uint64_t lease = 0;
  std::uint16_t port = 0;
  bool follow = false;
  std::uint64_t tail = 0;
  std::string authorization;  ///< The user's Authorization header as it came, or empty.
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<LeaseRequest> decode(BytesView in);
  /// The path of the local API that the user signed.
  [[nodiscard]] std::string path(LeaseService service) const;
};

/// Before anything else on a stream the worker says whether it serves it.
[[nodiscard]] runtime::Task<Result<>> write_head(runtime::ByteStream& stream, Result<> outcome);
/// The worker's error, or nothing when the stream follows.
[[nodiscard]] runtime::Task<Result<>> read_head(runtime::ByteStream& stream);

/// Channels of an exec (docs/formats/local_api.md); kRequest is the JSON that starts it and comes first.
enum class ExecChannel : std::uint8_t {
  kStdin = 0,
  kStdout = 1,
  kStderr = 2,
  kExit = 3,
  kResize = 4,
  kError = 5,
  kRequest = 6
};
inline constexpr std::size_t kMaxExecFrameBytes = 256 << 10;
struct ExecFrame {
  ExecChannel channel = ExecChannel::kStdin;
  Bytes data;
};
/// Channel byte, length (4 bytes, big endian), data. kUnavailable at the end of the stream.
[[nodiscard]] runtime::Task<Result<>> write_frame(runtime::ByteStream& stream, ExecChannel channel, BytesView data);
[[nodiscard]] runtime::Task<Result<ExecFrame>> read_frame(runtime::ByteStream& stream);

/// {"argv":[...],"tty":bool,"columns","rows","env":{}}. kInvalid names the key.
[[nodiscard]] Result<compute::ExecRequest> parse_exec_request(std::string_view json);
struct TerminalSize {
  std::uint16_t columns = 0, rows = 0;
};
[[nodiscard]] Result<TerminalSize> parse_resize(std::string_view json);

}  // namespace bonus::node
