// A fuzz target: a function of bytes that aborts (ASSERT) when a property does not hold.
//
// libFuzzer builds (-Dfuzzers=true) link one target each and call it through TAKO_FUZZ_TARGET; the test `fuzz_replay`
// links them all and runs them over their corpora and over mutations of those. A target depends on its input alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace tako::fuzz {

void fuzz_config(std::string_view input);
void fuzz_frame(std::string_view input);
void fuzz_http_request(std::string_view input);
void fuzz_http_response(std::string_view input);
void fuzz_memcached(std::string_view input);
void fuzz_message(std::string_view input);

}  // namespace tako::fuzz

#ifdef TAKO_LIBFUZZER
#define TAKO_FUZZ_TARGET(function)                                                          \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {       \
    tako::fuzz::function(std::string_view(reinterpret_cast<const char*>(data), size));      \
    return 0;                                                                               \
  }
#else
#define TAKO_FUZZ_TARGET(function)
#endif
