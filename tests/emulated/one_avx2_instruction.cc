// The control of old_cpu_test.py: a processor without AVX2 must refuse this. An emulator that let it pass would prove
// nothing about smelt.
int main() {
  __asm__ volatile("vpaddd %%ymm0, %%ymm0, %%ymm0" ::: "xmm0");
  return 0;
}
