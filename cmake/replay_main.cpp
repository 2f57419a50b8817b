// Replays a fuzz corpus without libFuzzer: every file below the given folders is given to the target once, together
// with truncations of it, so that the corpora are checked by every ordinary build.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i], error)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::vector<std::uint8_t> data((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      LLVMFuzzerTestOneInput(data.data(), data.size());
      for (std::size_t cut = data.size() / 2; cut > 0; cut /= 2) LLVMFuzzerTestOneInput(data.data(), cut);
      ++files;
    }
  }
  LLVMFuzzerTestOneInput(nullptr, 0);
  std::printf("replayed %zu corpus files\n", files);
  if (files == 0) {
    std::fprintf(stderr, "no corpus found: put at least one file below fuzz/corpora/<target>\n");
    return 1;
  }
  return 0;
}
