// Logs and files of a simulated machine.
#include "bonus/runtime/sim/disk.hpp"

namespace bonus::runtime::sim {
namespace {

class SimLog final : public AppendLog {
 public:
  SimLog(const SimDisk& disk, SimDisk::LogFile& file) : disk_(disk), file_(file), recovered_(file.records) {}
  const std::vector<Bytes>& recovered() const override { return recovered_; }
  Result<> append(BytesView record) override {
    TRY(writable());
    file_.records.emplace_back(record.begin(), record.end());
    return {};
  }
  Result<> sync() override {
    TRY(writable());
    file_.synced = file_.records.size();
    return {};
  }
  Result<> rewrite(const std::vector<Bytes>& records) override {
    TRY(writable());
    file_.records = records;
    file_.synced = records.size();
    return {};
  }

 private:
  Result<> writable() const {
    if (disk_.failing()) return fail(ErrorCode::kIo, "the simulated disk fails");
    return {};
  }
  const SimDisk& disk_;
  SimDisk::LogFile& file_;
  std::vector<Bytes> recovered_;
};

}  // namespace

Result<std::unique_ptr<AppendLog>> SimDisk::open_log(const std::string& path) {
  return std::make_unique<SimLog>(*this, logs_[path]);
}
Result<Bytes> SimDisk::read_file(const std::string& path, std::size_t limit_bytes) {
  const auto found = files_.find(path);
  if (found == files_.end()) return fail(ErrorCode::kNotFound, path + " does not exist");
  if (found->second.size() > limit_bytes) return fail(ErrorCode::kExhausted, path + " is too long");
  return found->second;
}
Result<> SimDisk::write_file(const std::string& path, BytesView content, unsigned) {
  if (failing_) return fail(ErrorCode::kIo, "the simulated disk fails");
  files_[path] = Bytes(content.begin(), content.end());
  return {};
}
bool SimDisk::exists(const std::string& path) { return files_.contains(path) || logs_.contains(path); }

void SimDisk::crash() {
  for (auto& [_, log] : logs_) {
    const std::size_t unsynced = log.records.size() - log.synced;
    log.records.resize(log.synced + static_cast<std::size_t>(random_.below(unsynced + 1)));
    log.synced = log.records.size();  // what a restart finds is on the disk
  }
}

}  // namespace bonus::runtime::sim
