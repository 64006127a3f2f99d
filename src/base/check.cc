#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tako {

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "ASSERT failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace tako
