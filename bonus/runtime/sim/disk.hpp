// A simulated disk: what was not synced may be lost when the machine crashes.
#pragma once

#include <map>

#include "bonus/runtime/disk.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::runtime::sim {

/// One machine's disk. Logs hold on to it: it must outlive them. Not thread-safe.
class SimDisk final : public Disk {
 public:
  explicit SimDisk(SeededRandom random) : random_(random) {}
  [[nodiscard]] Result<std::unique_ptr<AppendLog>> open_log(const std::string& path) override;
  [[nodiscard]] Result<Bytes> read_file(const std::string& path, std::size_t limit_bytes) override;
  [[nodiscard]] Result<> write_file(const std::string& path, BytesView content, unsigned mode) override;
  [[nodiscard]] bool exists(const std::string& path) override;
  /// Power loss: of the unsynced records of each log a random prefix survives. Open logs must not be used afterwards.
  void crash();
  /// Every later append, sync and write fails with kIo until set back: a full or failing disk.
  void set_failing(bool failing) { failing_ = failing; }
  [[nodiscard]] bool failing() const { return failing_; }

  struct LogFile {
    std::vector<Bytes> records;
    std::size_t synced = 0;
  };

 private:
  SeededRandom random_;
  std::map<std::string, LogFile> logs_;
  std::map<std::string, Bytes> files_;
  bool failing_ = false;
};

}  // namespace bonus::runtime::sim
