// threshold.h: the only place where a similarity meets a threshold.
//
// Thread-safety: pure functions.
#pragma once

#include "sosie/result.h"
#include "sosie/similarity.h"

namespace sosie::decide {

/// The most that two different texts can be alike. Vectors of different texts can coincide ("Paris?" and "paris?"), and
/// rounding can lift a cosine over 1; a similarity of 1 must still mean the same text.
inline constexpr Similarity kNearlySame{0.999999};

/// Errors: invalid_argument outside [0, 1] and for NaN. 0 is legal.
Result<void> check_threshold(Similarity threshold);

/// What a candidate of this raw cosine is reported as: 1 for the same text, else clamped to [-1, kNearlySame].
Similarity reported(Similarity raw, bool same_text) noexcept;

/// Whether a candidate may answer. Inclusive.
bool accepts(Similarity reported, Similarity threshold) noexcept;

/// The least raw cosine worth looking at: below it nothing is accepted, not even the same text with rounding errors.
Similarity search_floor(Similarity threshold) noexcept;

/// The greatest cosine distance worth asking a server for, which computes in float32.
CosineDistance search_radius(Similarity threshold) noexcept;

/// Whether a server's candidate may answer: the same text, else one within the radius by the server's own float32 measure.
/// Inclusive. With a threshold of 1 the same text alone.
bool accepts(CosineDistance distance, bool same_text, Similarity threshold) noexcept;

/// The threshold where only `part` (0 to 1) of the texts may differ and the rest is known to be equal: what is shared dilutes a
/// difference, so the distance allowed shrinks with the part.
Similarity threshold_for_part(Similarity threshold, double part) noexcept;

}  // namespace sosie::decide
