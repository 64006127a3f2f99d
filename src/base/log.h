// Log lines for operators: `event key=value key=value`, one line per event.
//
// info: the state changed; warn: something is wrong that heals by itself or wants a look; error: an operator has to
// act; debug: single requests. The same error is not both logged and returned. Values from a network are escaped.
//
// A log that cannot be written (a full disk, a pipe that nobody reads) holds up nobody and ends nothing: its lines are
// lost, and the first that can be written again says how many.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace tako::log {

enum class Level : unsigned char { kDebug, kInfo, kWarn, kError, kOff };

class Field {
 public:
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class T>
  requires std::is_integral_v<T> Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};

using Fields = std::initializer_list<Field>;

bool enabled(Level level);
void write(Level level, std::string_view event, Fields fields);

inline void debug(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kDebug)) write(Level::kDebug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kInfo)) write(Level::kInfo, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kWarn)) write(Level::kWarn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kError)) write(Level::kError, event, fields);
}

// To people, on stderr: whatever the level is, and wherever the log goes. One line, without its end.
void tell(std::string_view line);

// Start-up only. An empty file name means stderr. The level is one of debug, info, warn, error, off.
Status open(std::string_view level, const std::string& file);
// After a rotation (SIGHUP): close the file and open it again by name.
void reopen();

}  // namespace tako::log
