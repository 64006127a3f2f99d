#include "base/log.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "base/line_writer.h"

namespace tako::log {
namespace {

std::atomic<Level> threshold{Level::kWarn};

// Guards what follows; the hot path logs nothing, so nobody waits here.
std::mutex sink_mutex;
std::shared_ptr<spdlog::logger> sink;
std::string sink_file;
LineWriter to_stderr(STDERR_FILENO, LineWriter::Descriptor::kBorrowed);

constexpr std::size_t kValueBytesMax = 400;

// Of lines that were lost the next one tells. A log file that fails is told of on stderr too, once until it works.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit LineSink(LineWriter& writer) : writer_(writer) {}
  LineSink(std::unique_ptr<LineWriter> writer, std::string file)
      : owned_(std::move(writer)), writer_(*owned_), file_(std::move(file)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (writer_.lost() > 0) {
      const std::string notice =
          "log_lines_lost count=" + std::to_string(writer_.lost()) + " reason=\"" + writer_.reason() + "\"";
      if (put({message.logger_name, spdlog::level::warn, notice})) {
        writer_.told();
        complained_ = false;
      }
    }
    if (put(message) || owned_ == nullptr || std::exchange(complained_, true)) return;
    (void)to_stderr.write("tako: cannot write the log file " + file_ + ": " + writer_.reason() +
                          "; its lines are lost until it can be\n");
  }

  bool put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return writer_.write({line.data(), line.size()});
  }

  void flush_() override {}

  const std::unique_ptr<LineWriter> owned_;
  LineWriter& writer_;
  const std::string file_;
  bool complained_ = false;
};

std::shared_ptr<spdlog::logger> make_logger(std::shared_ptr<LineSink> to) {
  auto made = std::make_shared<spdlog::logger>("tako", std::move(to));
  made->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
  made->set_level(spdlog::level::trace);
  return made;
}

// Of the file, or of stderr.
Result<std::shared_ptr<spdlog::logger>> make_sink(const std::string& file) {
  if (file.empty()) return make_logger(std::make_shared<LineSink>(to_stderr));
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  // O_NONBLOCK: a named pipe without a reader is an error, not a wait.
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (fd < 0) {
    const std::string reason = errno == ENXIO ? "nobody reads this pipe" : std::strerror(errno);
    return {ErrorCode::kInvalid, "--log-file " + file + ": cannot open it: " + reason};
  }
  auto writer = std::make_unique<LineWriter>(fd, LineWriter::Descriptor::kOwned);
  return make_logger(std::make_shared<LineSink>(std::move(writer), file));
}

// One line stays one line, and a terminal is sent no control codes.
bool append_escaped(std::string& line, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte != 0x7f) return false;
  constexpr char kHex[] = "0123456789abcdef";
  line += "\\x";
  line += kHex[byte >> 4];
  line += kHex[byte & 15];
  return true;
}

void append_value(std::string& line, std::string_view value) {
  const bool cut = value.size() > kValueBytesMax;
  if (cut) value = value.substr(0, kValueBytesMax);
  const bool quote = value.empty() || value.find_first_of(" \"=") != std::string_view::npos;
  if (quote) line += '"';
  for (const char c : value) {
    if (append_escaped(line, c)) continue;
    if (c == '"' || c == '\\') line += '\\';
    line += c;
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
  if (!sink) sink = *make_sink("");
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
  auto made = make_sink(file);
  if (!made) return made.error();
  sink = std::move(*made);
  sink_file = file;
  return ok_status();
}

void reopen() {
  const std::lock_guard lock(sink_mutex);
  if (sink_file.empty()) return;
  auto made = make_sink(sink_file);
  // Better a log under an old name than none.
  if (made) sink = std::move(*made);
  else sink->warn("log_not_reopened reason=\"{}\"", made.error().message);
}

void tell(std::string_view line) {
  std::string shown;
  for (const char c : line) {
    if (!append_escaped(shown, c)) shown += c;
  }
  const std::lock_guard lock(sink_mutex);
  (void)to_stderr.write(shown + "\n");
}

}  // namespace tako::log
