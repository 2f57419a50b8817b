// Which ports the workload of each local lease has: needed again after a restart, before the workload document is read
// anew.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bonus/runtime/disk.hpp"

namespace bonus::node {

/// Not thread-safe. A damaged or missing file counts as empty: the chain knows the ports of every lease that runs.
class LeasePorts {
 public:
  LeasePorts(runtime::Disk& disk, std::string path);
  [[nodiscard]] std::vector<std::uint16_t> get(std::uint64_t lease) const;
  /// Durable on return.
  [[nodiscard]] Result<> set(std::uint64_t lease, const std::vector<std::uint16_t>& ports);
  [[nodiscard]] Result<> erase(std::uint64_t lease);

 private:
  [[nodiscard]] Result<> save() const;
  runtime::Disk& disk_;
  std::string path_;
  std::map<std::uint64_t, std::vector<std::uint16_t>> ports_;
};

}  // namespace bonus::node
