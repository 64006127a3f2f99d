#include "ctl/data_verbs.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/json_fields.h"
#include "ctl/table.h"
#include "ctl/transfer.h"
#include "model/record.h"

namespace tako::ctl {
namespace {

using nlohmann::json;

bool is_stream(const std::string& file) { return file.empty() || file == "-"; }

Result<Read> reader_of(std::istream& in, const std::string& file, std::optional<std::uint64_t>& size) {
  if (is_stream(file)) {
    return Read([&in](std::size_t bytes) -> Result<std::string> {
      std::string content(bytes, '\0');
      errno = 0;
      in.read(content.data(), static_cast<std::streamsize>(bytes));
      if (in.bad()) {
        const std::string reason = errno != 0 ? ": " + std::string(std::strerror(errno)) : std::string();
        return {ErrorCode::kIo, "cannot read the input" + reason + "; give a file, or something to read"};
      }
      content.resize(static_cast<std::size_t>(in.gcount()));
      return content;
    });
  }
  auto opened = runtime::ReadFile::open(file);
  if (!opened) return opened.error();
  size = opened->size();
  auto shared = std::make_shared<runtime::ReadFile>(std::move(*opened));
  return Read([shared](std::size_t bytes) { return shared->read(bytes); });
}

Tone tone_of(const std::string& state) {
  if (state == "current") return Tone::kGood;
  return state == "older" || state == "no_vote" ? Tone::kDoubtful : Tone::kBad;
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

namespace {

// What is no value: a message, and the exit code.
int refused(Console& console, const std::string& key, const wire::HttpResponse& response) {
  if (response.status == 404) return fail(console, kExitNo, key + ": no such key");
  return fail(console, kExitNo, complaint_of(response));
}

Task<int> get_to_output(Console& console, ClusterClient& client, std::string key, std::string target) {
  StreamSink sink(console);
  const auto response = co_await client.download(std::move(target), wire::HttpHeaders(), sink);
  const Status whole = sink.check();
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status != 200) co_return refused(console, key, *response);
  if (!whole) co_return fail(console, kExitNo, whole.error().message);
  co_return finish(console, kExitYes);
}

// The whole was there already, but for its name.
bool complete(const wire::HttpResponse& response, const runtime::PartFile& file) {
  const std::string all = "bytes */" + std::to_string(file.size());
  return response.status == 416 && wire::find_header(response.headers, "etag") == file.note() &&
         wire::find_header(response.headers, "content-range") == all;
}

Task<int> get_to_file(Console& console, ClusterClient& client, GetOptions options, std::string target) {
  auto opened = runtime::PartFile::open(options.file);
  if (!opened) {
    const bool wrong = opened.code() == ErrorCode::kInvalid || opened.code() == ErrorCode::kNotFound;
    co_return fail(console, wrong ? kExitUsage : kExitNo, opened.error().message);
  }
  runtime::PartFile file = std::move(*opened);
  wire::HttpHeaders headers;
  if (file.size() > 0) {
    headers.emplace_back("range", "bytes=" + std::to_string(file.size()) + "-");
    headers.emplace_back("if-range", file.note());
  }
  PartSink sink(console, file);
  const auto response = co_await client.download(std::move(target), std::move(headers), sink);
  if (!response) {
    sink.end();
    const bool worth = file.size() > 0 && !file.note().empty();
    const std::string kept = worth ? "; what arrived is kept: get it again to go on from there" : "";
    co_return fail(console, kExitNo, response.error().message + kept);
  }
  const bool there = complete(*response, file);
  if (there) sink.expect(checksum_in(response->headers));
  if (!there && response->status != 200 && response->status != 206) co_return refused(console, options.key, *response);
  Status done = sink.check();
  if (!done && done.code() == ErrorCode::kCorrupt) file.forget();
  if (done) done = file.finish();
  if (!done) co_return fail(console, kExitNo, done.error().message);
  co_return kExitYes;
}

}  // namespace

Task<int> get_value(Console& console, ClusterClient& client, GetOptions options) {
  const Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  if (is_stream(options.file)) co_return co_await get_to_output(console, client, std::move(options.key), *target);
  co_return co_await get_to_file(console, client, std::move(options), *target);
}

namespace {

// As it stands in a header; people type it without the quotes.
std::string quoted_tag(const std::string& tag) {
  return tag == "*" || tag.front() == '"' ? tag : '"' + tag + '"';
}

wire::HttpHeaders headers_of(const PutOptions& options) {
  wire::HttpHeaders headers;
  if (!options.content_type.empty()) headers.emplace_back("content-type", options.content_type);
  if (!options.if_match.empty()) headers.emplace_back("if-match", quoted_tag(options.if_match));
  if (!options.if_none_match.empty()) headers.emplace_back("if-none-match", quoted_tag(options.if_none_match));
  return headers;
}

}  // namespace

Task<int> put_value(Console& console, ClusterClient& client, PutOptions options) {
  Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  if (options.ttl_s > 0) *target += "?ttl=" + std::to_string(options.ttl_s);
  std::optional<std::uint64_t> size;
  auto read = reader_of(console.in, options.file, size);
  if (!read) co_return fail(console, kExitUsage, read.error().message);

  Upload upload;
  upload.target = *target;
  upload.headers = headers_of(options);
  Progress progress(console, size, 0);
  FileSource source(console, progress, std::move(*read));
  Result<Bytes> first = co_await source.next();
  if (!first) co_return fail(console, kExitUsage, first.error().message);
  Result<wire::HttpResponse> response;
  if (first->size() < model::kPieceBytes) {
    response = co_await client.request("PUT", *target, std::move(upload.headers), std::move(*first));
  } else {
    Result<Bytes> second = co_await source.next();
    if (!second) co_return fail(console, kExitUsage, second.error().message);
    if (second->empty()) {
      response = co_await client.request("PUT", *target, std::move(upload.headers), std::move(*first));
    } else {
      source.put_back(std::move(*first), std::move(*second));
      upload.body = &source;
      upload.size = size;
      response = co_await client.upload(std::move(upload));
    }
  }
  progress.end();
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));
  const auto stored = checksum_in(response->headers);
  if (stored && *stored != source.checksum()) {
    co_return fail(console, kExitNo, "what is stored has another checksum than what was sent; put it again");
  }
  co_return kExitYes;
}

Task<int> remove_value(Console& console, ClusterClient& client, KeyOptions options) {
  const Result<std::string> target = target_of("/values/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  const Result<wire::HttpResponse> response = co_await client.request("DELETE", *target, wire::HttpHeaders(), Bytes());
  if (!response) co_return fail(console, kExitNo, response.error().message);
  if (response->status != 204 && response->status != 200) co_return fail(console, kExitNo, complaint_of(*response));
  co_return kExitYes;
}

Task<int> stat_value(Console& console, ClusterClient& client, KeyOptions options) {
  Result<std::string> target = target_of("/stat/", options.key);
  if (!target) co_return fail(console, kExitUsage, target.error().message);
  const std::string address = *target + "?format=json";
  const Result<wire::HttpResponse> response = co_await client.request("GET", address, wire::HttpHeaders(), Bytes());
  if (!response) co_return fail(console, kExitNo, response.error().message);
  const json stat = parse_json(response->body.view());
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
