// Result<T>: a value or an Error. No exception crosses a module boundary.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace bonus {

/// What the caller can do about it, not where it happened.
enum class ErrorCode : std::uint8_t {
  kInvalid,      ///< The input is malformed or breaks a rule: do not retry unchanged.
  kNotFound,     ///< The thing named does not exist (here).
  kExists,       ///< The thing to be made exists already.
  kDenied,       ///< The caller may not do this.
  kExhausted,    ///< A bound was reached: memory, queue, quota, funds, size.
  kUnavailable,  ///< A peer or service cannot be reached now: retry later.
  kTimeout,      ///< No answer in time.
  kCancelled,    ///< The work was stopped by its owner.
  kCorrupt,      ///< Stored data fails its own check.
  kIo,           ///< The operating system refused.
  kUnsupported,  ///< Understood, but not offered here.
  kConflict,     ///< The state changed or is not the one that the operation needs.
  kInternal,     ///< Our own bug.
};

[[nodiscard]] std::string_view to_string(ErrorCode code);

/// `message` is a full sentence part for a person: what failed, on what, and where it is known, what to do next.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  /// The same error seen from further out: "context: message".
  Error wrap(std::string_view context) && {
    message = std::string(context) + ": " + message;
    return std::move(*this);
  }
  [[nodiscard]] std::string to_string() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

}  // namespace bonus

#define BONUS_CONCAT_INNER(a, b) a##b
#define BONUS_CONCAT(a, b) BONUS_CONCAT_INNER(a, b)

/// TRY(expr): evaluates to the value, or returns the error from the enclosing function.
#define TRY(...)                                                                        \
  ({                                                                                    \
    auto bonus_try_result = (__VA_ARGS__);                                              \
    if (!bonus_try_result) return std::unexpected(std::move(bonus_try_result).error()); \
    *std::move(bonus_try_result);                                                       \
  })
/// TRY_ASSIGN(auto x, expr): the same as a declaration.
#define TRY_ASSIGN(declaration, ...) TRY_ASSIGN_INNER(BONUS_CONCAT(bonus_try_, __LINE__), declaration, __VA_ARGS__)
#define TRY_ASSIGN_INNER(name, declaration, ...)              \
  auto name = (__VA_ARGS__);                                  \
  if (!name) return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)
/// CO_TRY / CO_TRY_ASSIGN: the same inside a coroutine; the expression may contain co_await.
#define CO_TRY(...)                                                                        \
  ({                                                                                       \
    auto bonus_try_result = (__VA_ARGS__);                                                 \
    if (!bonus_try_result) co_return std::unexpected(std::move(bonus_try_result).error()); \
    *std::move(bonus_try_result);                                                          \
  })
#define CO_TRY_ASSIGN(declaration, ...) \
  CO_TRY_ASSIGN_INNER(BONUS_CONCAT(bonus_try_, __LINE__), declaration, __VA_ARGS__)
#define CO_TRY_ASSIGN_INNER(name, declaration, ...)              \
  auto name = (__VA_ARGS__);                                     \
  if (!name) co_return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)
