// Any bytes as a layer: unpacking ends with an answer, and nothing is written beside the target folder.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bonus/compute/vm/unpack.hpp"

namespace {

// One folder for the whole run: <top>/<run>/fs is the target, and <top>/<run> must hold nothing else afterwards.
const std::string& top() {
  static const std::string path = [] {
    std::string name = (std::filesystem::temp_directory_path() / "layer-tar-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    static const std::string keep = name;
    std::atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(keep, ignored);
    });
    return name;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  namespace fs = std::filesystem;
  const std::string run = top() + "/run";
  std::error_code ignored;
  fs::remove_all(run, ignored);
  fs::create_directories(run + "/fs");
  const BytesView blob(data, size);
  const auto reader = [blob](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<std::size_t> {
    if (offset >= blob.size()) return std::size_t{0};
    const auto piece = blob.subspan(offset).first(std::min(out.size(), blob.size() - static_cast<std::size_t>(offset)));
    std::ranges::copy(piece, out.begin());
    return piece.size();
  };
  compute::vm::UnpackLimits limits;
  limits.entries = 100;
  limits.stream = {1 << 20, 50, 1 << 16};
  (void)compute::vm::unpack_layer(reader, Hash32{}, run + "/fs", limits);
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(run)) beside += entry.path().filename() == "fs" ? 0 : 1;
  for (const auto& entry : fs::directory_iterator(top())) beside += entry.path().filename() == "run" ? 0 : 1;
  if (beside != 0) std::abort();
  return 0;
}
