// qmatmul in portable C++: the code of the *_vec.h files over arrays.
#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_portable.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {

extern const QMatmulKernel qmatmul_reference = {Isa::reference, quantize_row<LanesPortable>, exact_tile<LanesPortable>,
                                                prefill_tile<LanesPortable>};

}  // namespace smelt
