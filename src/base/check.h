// ASSERT(x): an invariant of ours. On in every build; prints the expression and aborts.
//
// Never reached by what a network or a disk says: that is a Result.
#pragma once

namespace tako {

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace tako

#ifndef ASSERT
#define ASSERT(expression)                                                  \
  do {                                                                     \
    if (!(expression)) [[unlikely]]                                        \
      ::tako::assert_failed(#expression, __FILE__, __LINE__);               \
  } while (false)
#endif
