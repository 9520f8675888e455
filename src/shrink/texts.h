// The two texts of a shrink, which must be two: what a model was fitted to proves nothing about it.
#pragma once

#include <string>

#include "shrink/shrink_model.h"

namespace smelt {

// Splits the last tenth off the calibration text where no held-out one is given (at the end of a line); refuses texts
// of which one has a passage of the other.
Status settle_texts(NamedText& calibration, NamedText& held_out);

}  // namespace smelt
