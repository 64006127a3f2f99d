// Is this a build with a sanitizer, in which everything takes ten times as long? Property tests draw fewer cases then:
// what the sanitizers look for shows in the first few.
#pragma once

namespace tako {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Of `whole` cases, so many.
constexpr int rounds(int whole) { return kSanitized ? (whole + 7) / 8 : whole; }

}  // namespace tako
