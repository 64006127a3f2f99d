#include "manual/manual.h"

namespace tako::manual {

const Page* find(std::string_view topic) {
  for (const Page& page : pages()) {
    if (page.topic == topic) return &page;
  }
  return nullptr;
}

}  // namespace tako::manual
