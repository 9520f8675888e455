// The main of every x_fuzz_replay test: feeds a fuzz target its kept corpus (tests/corpora/x_fuzz), each file also cut
// short and with bytes changed in a fixed pseudo-random way. libFuzzer itself is only in the fuzz preset.
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

constexpr int kMutantsPerFile = 64;

// Each input in an allocation of exactly its size, so that a sanitizer sees a read one byte too far.
void run(const std::string& input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void run_with_mutants(const std::string& input, std::mt19937& random) {
  run(input);
  if (input.empty()) return;
  for (int i = 0; i < kMutantsPerFile; ++i) {
    run(input.substr(0, random() % input.size()));
    std::string mutant = input;
    for (uint32_t n = 1 + random() % 4; n > 0; --n) mutant[random() % mutant.size()] = static_cast<char>(random());
    run(mutant);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  for (const char* input : {"", "\n", "{}", "GGUF"}) run_with_mutants(input, random);
  if (argc < 2) return 0;  // this target has no corpus
  int n_files = 0;
  std::error_code error;
  const std::filesystem::path folder = argv[1];
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::ifstream file(entry.path(), std::ios::binary);
    run_with_mutants(std::string(std::istreambuf_iterator<char>(file), {}), random);
    ++n_files;
  }
  std::printf("%d files of %s replayed\n", n_files, folder.c_str());
  return n_files > 0 ? 0 : 1;
}
