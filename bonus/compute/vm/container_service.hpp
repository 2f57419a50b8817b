// BonusVM: runs containers of images with limits, keeps them over restarts of this program, and lets people look
// inside.
#pragma once

#include <memory>

#include "bonus/compute/api/containers.hpp"
#include "bonus/compute/api/images.hpp"
#include "bonus/compute/vm/options.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::compute::vm {

/// Thread-safe. The collaborators must live until the executor no longer runs. During a backoff before a restart a
/// container is kPreparing with a message; kExited and kFailed are final.
/// A container has its own network namespace. Without VmOptions::network there is nothing but a loopback in it: `dial`
/// is the only way in, there is no way out, and ContainerStatus::address stays empty.
class ContainerService final : public Containers {
 public:
  /// Blocking: takes the state directory (kConflict: another process has it), checks the machine (kUnsupported), finds
  /// what an earlier process left and goes on with it. Changes found then are told to the first listener.
  [[nodiscard]] static Result<std::unique_ptr<ContainerService>> open(runtime::Executor executor,
                                                                      runtime::BlockingPool& pool,
                                                                      runtime::Clock& clock, ImageSource& images,
                                                                      VmOptions options);
  ~ContainerService() override;  ///< Stops watching; the containers go on.
  /// Ends all that runs on the executor and releases the state directory. The containers go on.
  [[nodiscard]] runtime::Task<> shutdown();

  [[nodiscard]] runtime::Task<Result<ContainerStatus>> start(std::string id, Workload workload) override;
  [[nodiscard]] runtime::Task<Result<>> stop(std::string id, Duration grace) override;
  [[nodiscard]] Result<ContainerStatus> status(const std::string& id) const override;
  [[nodiscard]] std::vector<ContainerStatus> list() const override;
  [[nodiscard]] Result<ContainerUsage> usage(const std::string& id) const override;
  [[nodiscard]] runtime::Task<Result<>> logs(std::string id, LogQuery query,
                                             std::function<runtime::Task<bool>(LogLine)> sink) override;
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<ExecSession>>> exec(std::string id, ExecRequest request) override;
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(std::string id,
                                                                                 std::uint16_t port) override;
  void on_change(std::function<void(ContainerStatus)> listener) override;

  struct Impl;

 private:
  explicit ContainerService(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;  // shared with the coroutines and blocking jobs under way
};

}  // namespace bonus::compute::vm
