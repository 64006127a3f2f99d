#include "base/log.h"

#include <atomic>
#include <memory>
#include <mutex>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tako::log {
namespace {

std::atomic<Level> threshold{Level::kWarn};

// Guards the sink while SIGHUP swaps it; the hot path logs nothing, so nobody waits here.
std::mutex sink_mutex;
std::shared_ptr<spdlog::logger> sink;
std::string sink_file;

constexpr std::size_t kValueBytesMax = 400;

std::shared_ptr<spdlog::logger> make_sink(const std::string& file) {
  auto made = file.empty()
                  ? std::make_shared<spdlog::logger>("tako", std::make_shared<spdlog::sinks::stderr_sink_mt>())
                  : std::make_shared<spdlog::logger>("tako", std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
  made->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
  made->set_level(spdlog::level::trace);
  made->flush_on(spdlog::level::trace);
  return made;
}

// One line stays one line, and a terminal is sent no control codes.
void append_value(std::string& line, std::string_view value) {
  const bool cut = value.size() > kValueBytesMax;
  if (cut) value = value.substr(0, kValueBytesMax);
  const bool quote = value.empty() || value.find_first_of(" \"=") != std::string_view::npos;
  if (quote) line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      line += "\\x";
      line += kHex[byte >> 4];
      line += kHex[byte & 15];
    } else {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
  }
  if (cut) line += "...";
  if (quote) line += '"';
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
    case Level::kOff: return spdlog::level::off;
  }
  return spdlog::level::err;
}

}  // namespace

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, Fields fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  const std::lock_guard lock(sink_mutex);
  if (!sink) sink = make_sink("");
  sink->log(to_spdlog(level), "{}", line);
}

Status open(std::string_view level, const std::string& file) {
  Level wanted = Level::kInfo;
  if (level == "debug" || level == "trace")
    wanted = Level::kDebug;
  else if (level == "info")
    wanted = Level::kInfo;
  else if (level == "warn" || level == "warning")
    wanted = Level::kWarn;
  else if (level == "error" || level == "err" || level == "critical")
    wanted = Level::kError;
  else if (level == "off")
    wanted = Level::kOff;
  else
    return {ErrorCode::kInvalid, "log level '" + std::string(level) + "': expected debug, info, warn, error or off"};
  threshold = wanted;

  const std::lock_guard lock(sink_mutex);
  try {
    sink = make_sink(file);
    sink_file = file;
  } catch (const spdlog::spdlog_ex& e) {
    return {ErrorCode::kIo, "log file " + file + ": " + e.what()};
  }
  return ok_status();
}

void reopen() {
  const std::lock_guard lock(sink_mutex);
  if (sink_file.empty()) return;
  try {
    sink = make_sink(sink_file);
  } catch (const spdlog::spdlog_ex&) {
    // The old file stays open: better a log under an old name than none.
  }
}

}  // namespace tako::log
