// Small durable files: what a core must find again after kill -9. Bulk data lives in RocksDB.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::runtime {

/// An append-only log of checksummed records (length, CRC-32C, bytes). A torn tail is cut on opening, a damaged middle
/// is kCorrupt with its offset. Not thread-safe.
class AppendLog {
 public:
  virtual ~AppendLog() = default;
  [[nodiscard]] virtual const std::vector<Bytes>& recovered()
      const = 0;  ///< What was there when it was opened, in order.
  [[nodiscard]] virtual Result<> append(BytesView record) = 0;
  [[nodiscard]] virtual Result<> sync() = 0;  ///< Durable on return.
  /// Atomically replaces the whole log by these records, durably.
  [[nodiscard]] virtual Result<> rewrite(const std::vector<Bytes>& records) = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<AppendLog>> open_log(const std::string& path) = 0;
  [[nodiscard]] virtual Result<Bytes> read_file(const std::string& path, std::size_t limit_bytes) = 0;
  /// Write to a temporary name, fsync, rename, fsync the folder. mode as chmod.
  [[nodiscard]] virtual Result<> write_file(const std::string& path, BytesView content, unsigned mode = 0644) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
};
[[nodiscard]] Disk& system_disk();

}  // namespace bonus::runtime
