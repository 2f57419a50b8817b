// Accepts TCP connections for a coroutine per connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bonus/runtime/stream.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::node {

/// Any thread. The destructor stops.
class TcpListener {
 public:
  using Handler = std::function<runtime::Task<>(std::unique_ptr<runtime::ByteStream>)>;
  /// kConflict: the port is in use. More than `max_connections` at a time are closed at once. Each connection runs on a
  /// strand.
  [[nodiscard]] static Result<std::unique_ptr<TcpListener>> open(runtime::Executor executor, const std::string& address,
                                                                 std::uint16_t port, std::size_t max_connections,
                                                                 Handler handler);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  [[nodiscard]] std::uint16_t port() const;
  /// Closes the listener and cancels the connections.
  void stop();
  /// Waits, after stop(), until the last handler has ended.
  [[nodiscard]] runtime::Task<> join();

 private:
  struct Impl;
  explicit TcpListener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;  // shared with the accept loop
};

}  // namespace bonus::node
