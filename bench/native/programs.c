// Compiled twice by clang: for eBPF, which btaot makes native, and natively, which is the measure.
#include "programs.h"

PROGRAM(empty)
PROGRAM(alu)
PROGRAM(sum64)
PROGRAM(fnv)
PROGRAM(csum)
PROGRAM(div)
PROGRAM(div32)
PROGRAM(strcm)
PROGRAM(copy)
PROGRAM(sort)
PROGRAM(pkt)
PROGRAM(log2hist)
