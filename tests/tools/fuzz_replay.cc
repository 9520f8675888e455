// Runs a fuzz target over every file of the folders and files given, as it is and with some bytes cut or changed in a
// fixed pseudo-random way: the committed corpora as ordinary tests, with any compiler. Linked with each x_fuzz.cc in
// place of libFuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> find_inputs(int argc, char** argv) {
  std::vector<fs::path> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      inputs.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) inputs.push_back(entry.path());
    }
  }
  return inputs;
}

constexpr int kMutants = 32;  // of each kind for each file

void run(std::vector<char> bytes) {
  bytes.shrink_to_fit();  // so that a sanitizer sees a read one byte too far
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

void run_mutants(const std::vector<char>& bytes, std::mt19937& random) {
  if (bytes.empty()) return;
  for (int i = 0; i < kMutants; ++i) {
    run({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(random() % bytes.size())});
    std::vector<char> mutant = bytes;
    for (uint32_t n = 1 + random() % 4; n > 0; --n) mutant[random() % mutant.size()] = static_cast<char>(random());
    run(std::move(mutant));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<fs::path> inputs = find_inputs(argc, argv);
  std::mt19937 random(1);
  for (const fs::path& input : inputs) {
    // The name goes out first: it is what a crash leaves behind.
    std::printf("%s\n", input.c_str());
    std::fflush(stdout);
    std::ifstream file(input, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    run(bytes);
    run_mutants(bytes, random);
  }
  std::printf("%zu inputs\n", inputs.size());
  return inputs.empty() ? 1 : 0;
}
