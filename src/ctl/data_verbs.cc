#include "ctl/data_verbs.h"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "ctl/table.h"
#include "model/record.h"
#include "runtime/files.h"

namespace tako::ctl {
namespace {

using nlohmann::json;

bool is_stream(const std::string& file) { return file.empty() || file == "-"; }

std::string over_limit(const std::string& what) {
  return what + ": a value may have at most " + std::to_string(model::kWholeValueBytesMax >> 20) + " MiB";
}

Result<std::string> read_all(std::istream& in) {
  std::string content;
  char buffer[64 * 1024];
  while (in) {
    in.read(buffer, sizeof buffer);
    content.append(buffer, static_cast<std::size_t>(in.gcount()));
    const bool over = content.size() > model::kWholeValueBytesMax;
    if (over) return {ErrorCode::kTooLarge, over_limit("the input is too large")};
  }
  if (in.bad()) return {ErrorCode::kIo, "cannot read the input"};
  return content;
}

Result<std::string> read_value(std::istream& in, const std::string& file) {
  if (is_stream(file)) return read_all(in);
  Result<std::string> content = runtime::read_whole_file(file, model::kWholeValueBytesMax);
  if (content || content.code() != ErrorCode::kTooLarge) return content;
  return {ErrorCode::kTooLarge, over_limit(file + " is too large")};
}

// Whole or not at all: what was there stays if it fails.
Status write_file(const std::string& file, std::string_view content) {
  const std::filesystem::path path(file);
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (!std::filesystem::is_directory(folder)) return {ErrorCode::kNotFound, folder + ": no such folder"};
  auto files = runtime::DiskFiles::open(folder);
  if (!files) return files.error();
  return (*files)->write(path.filename().string(), std::string(content));
}

Tone tone_of(const std::string& state) {
  if (state == "current") return Tone::kGood;
  return state == "older" || state == "no_vote" ? Tone::kDoubtful : Tone::kBad;
}

// A member as text: "-" where it is absent, null, or of another kind.
std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return printable(found->get_ref<const std::string&>());
  return found->dump();
}

std::string time_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return "-";
  const auto at = found->get<Timestamp>();
  return std::to_string(at) + "  " + utc_of(at);
}

std::string stat_table(const json& stat, const std::string& key, bool colour) {
  Table facts({"", ""});
  facts.add({"key", printable(key)});
  facts.add({"timestamp", time_in(stat, "timestamp")});
  facts.add({"size", text_in(stat, "size")});
  facts.add({"type", text_in(stat, "content_type")});
  facts.add({"expires", time_in(stat, "expires")});
  facts.add({"version", text_in(stat, "version")});

  Table replicas({"REPLICA", "STATE", "TIMESTAMP"});
  const auto list = stat.find("replicas");
  if (list != stat.end() && list->is_array()) {
    for (const json& replica : *list) {
      const std::string state = text_in(replica, "state");
      replicas.add({text_in(replica, "node"), Cell(state, tone_of(state)), time_in(replica, "timestamp")});
    }
  }
  return facts.text(colour) + "\n" + replicas.text(colour);
}

}  // namespace

Task<int> get_value(Console& console, Door& door, GetOptions options) {
  const Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  const Result<wire::HttpResponse> response = co_await door.request("GET", *target, wire::HttpHeaders(), Bytes());
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status == 404) co_return fail(console, kExitNo, options.key + ": no such key");
  if (response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));

  const std::string_view value = response->body.view();
  if (is_stream(options.file)) {
    console.out.write(value.data(), static_cast<std::streamsize>(value.size()));
    co_return finish(console, kExitYes);
  }
  const Status written = write_file(options.file, value);
  if (!written) co_return fail(console, kExitNo, written.error().message);
  co_return kExitYes;
}

Task<int> put_value(Console& console, Door& door, PutOptions options) {
  const Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  Result<std::string> value = read_value(console.in, options.file);
  if (!value) co_return fail(console, kExitUsage, value.error().message);

  wire::HttpHeaders headers;
  if (!options.content_type.empty()) headers.emplace_back("content-type", options.content_type);
  Bytes body(std::move(*value));
  const auto response = co_await door.request("PUT", *target, std::move(headers), std::move(body));
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));
  co_return kExitYes;
}

Task<int> remove_value(Console& console, Door& door, KeyOptions options) {
  const Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  const Result<wire::HttpResponse> response = co_await door.request("DELETE", *target, wire::HttpHeaders(), Bytes());
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status != 204 && response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));
  co_return kExitYes;
}

Task<int> stat_value(Console& console, Door& door, KeyOptions options) {
  Result<std::string> target = target_of("/stat/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  const std::string address = *target + "?format=json";
  const Result<wire::HttpResponse> response = co_await door.request("GET", address, wire::HttpHeaders(), Bytes());
  if (!response) co_return fail(console, kExitNo, response.error().message);
  const json stat = json::parse(response->body.view(), nullptr, false);
  const bool told = stat.is_object() && (response->status == 200 || response->status == 404);
  if (!told && response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));
  if (!told) co_return fail(console, kExitNo, "the proxy's answer is not the JSON of a key");

  if (console.json) {
    console.out << response->body.view();
    if (!response->body.view().ends_with('\n')) console.out << '\n';
  } else {
    console.out << stat_table(stat, options.key, console.colour);
  }
  if (response->status == 404) co_return fail(console, kExitNo, options.key + ": no such key");
  co_return finish(console, kExitYes);
}

}  // namespace tako::ctl
