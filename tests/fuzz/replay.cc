// Runs a fuzz target over the files of its corpus, each whole and each cut short: without a fuzzing
// engine, as a plain test.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> text((std::istreambuf_iterator<char>(file)), {});
      const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
      for (size_t size = 0; size <= text.size(); size += 1 + text.size() / 64) {
        LLVMFuzzerTestOneInput(bytes, size);
      }
      LLVMFuzzerTestOneInput(bytes, text.size());
      ++replayed;
    }
  }
  std::printf("%zu inputs replayed\n", replayed);
  return replayed > 0 ? 0 : 1;
}
