// Entry points of all operations, dispatched to the best instruction set of this machine (or the one SMELT_ISA names;
// isa.h lists them). No kernel knows a model or allocates. Each operation's folder has its contract, kernels.inc and
// files per instruction set.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/probe/probe.h"
#include "kernels/qmatmul/qmatmul.h"
#include "kernels/rope/rope.h"
#include "kernels/ssm/ssm.h"
