// The error object of JSON-RPC 2.0, and what methods return. Internal to this folder.
#pragma once

#include <boost/json/value.hpp>
#include <expected>
#include <optional>
#include <string>

#include "bonus/base/result.hpp"

namespace bonus::chain::rpc {

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kServerError = -32000;
inline constexpr int kTimedOut = -32002;  ///< As geth: "request timed out".
inline constexpr int kResponseTooLarge = -32003;
inline constexpr int kLimitExceeded = -32005;  ///< EIP-1474.
inline constexpr int kReverted = 3;            ///< As geth: execution reverted, with data.

struct Failure {
  int code = kServerError;
  std::string message;
  std::optional<std::string> data;
};
template <class T>
using Reply = std::expected<T, Failure>;
using JsonReply = Reply<boost::json::value>;

[[nodiscard]] inline std::unexpected<Failure> failure(int code, std::string message) {
  return std::unexpected(Failure{code, std::move(message), std::nullopt});
}
/// An Error of the ledger or the mempool as the server error that tools read.
[[nodiscard]] inline std::unexpected<Failure> failure(const Error& error) {
  return failure(error.code == ErrorCode::kExhausted ? kLimitExceeded : kServerError, error.message);
}

}  // namespace bonus::chain::rpc
