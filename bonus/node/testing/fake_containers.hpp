// compute/api's Containers without containers: programs that echo, for tests of what stands around them.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "bonus/compute/api/containers.hpp"

namespace bonus::node::testing {

/// Thread-safe. A started container runs until end() or stop(); ports echo what they are sent, exec echoes its input.
class FakeContainers final : public compute::Containers {
 public:
  /// Ports that nobody answers on.
  void close_port(std::uint16_t port);
  /// The next start fails with this.
  void fail_next_start(Error error);
  /// A container that an earlier run left.
  void leave(const std::string& id);
  /// The program ends by itself; tells the listener.
  void end(const std::string& id, int exit_code);
  [[nodiscard]] std::size_t starts() const;

  runtime::Task<Result<compute::ContainerStatus>> start(std::string id, compute::Workload workload) override;
  runtime::Task<Result<>> stop(std::string id, Duration grace) override;
  Result<compute::ContainerStatus> status(const std::string& id) const override;
  std::vector<compute::ContainerStatus> list() const override;
  Result<compute::ContainerUsage> usage(const std::string& id) const override;
  runtime::Task<Result<>> logs(std::string id, compute::LogQuery query,
                               std::function<runtime::Task<bool>(compute::LogLine)> sink) override;
  runtime::Task<Result<std::unique_ptr<compute::ExecSession>>> exec(std::string id,
                                                                    compute::ExecRequest request) override;
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(std::string id, std::uint16_t port) override;
  void on_change(std::function<void(compute::ContainerStatus)> listener) override;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, compute::ContainerStatus> containers_;  // guarded by mutex_, as all below
  std::vector<std::uint16_t> closed_;
  std::optional<Error> next_failure_;
  std::size_t starts_ = 0;
  std::function<void(compute::ContainerStatus)> listener_;
};

}  // namespace bonus::node::testing
