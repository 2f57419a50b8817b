// Names and local ports that users gave to their orders on this node, kept over restarts (docs/formats/local_api.md).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bonus/runtime/disk.hpp"

namespace bonus::node {

struct PublishedPort {
  std::uint16_t listen = 0;  ///< On 127.0.0.1 of this node.
  std::uint16_t port = 0;    ///< In the container.
  friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};
struct Route {
  std::uint64_t order = 0;
  std::string name;
  Address user;
  std::vector<PublishedPort> publish;
  friend bool operator==(const Route&, const Route&) = default;
};

inline constexpr std::size_t kMaxRoutes = 1024;
inline constexpr std::size_t kMaxPublishedPorts = 16;

/// [a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?, not all digits, without the prefixes "lease-" and "order-". kInvalid says why.
[[nodiscard]] Result<> check_route_name(std::string_view name);

/// Thread-safe. Changes are durable on return; they block for the time of an fsync.
class RouteTable {
 public:
  /// kCorrupt when the file is damaged.
  [[nodiscard]] static Result<std::unique_ptr<RouteTable>> open(runtime::Disk& disk, const std::string& path);

  /// kExists: the name belongs to another user's route; of the same user it is replaced. kExhausted: the table is full.
  [[nodiscard]] Result<> put(const Route& route);
  /// kNotFound.
  [[nodiscard]] Result<> erase(const std::string& name);
  [[nodiscard]] std::optional<Route> find(const std::string& name) const;
  [[nodiscard]] std::vector<Route> all() const;

 private:
  explicit RouteTable(std::unique_ptr<runtime::AppendLog> log) : log_(std::move(log)) {}
  [[nodiscard]] Result<> write(BytesView record);
  std::unique_ptr<runtime::AppendLog> log_;  // guarded by mutex_, as all below
  std::map<std::string, Route> routes_;
  std::size_t records_ = 0;
  mutable std::mutex mutex_;
};

}  // namespace bonus::node
