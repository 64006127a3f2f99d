// The part of http.h that needs no parser: looking up, decoding, and writing heads.
#include <algorithm>
#include <array>
#include <charconv>

#include "wire/http/http.h"

namespace tako::wire {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const std::size_t from = out.size();
  out += value;
  const auto breaks_out = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), breaks_out, ' ');
  out += "\r\n";
}

}  // namespace

std::optional<std::string_view> find_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (header.first == name) return header.second;
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = text.size() - i > 2 ? hex_value(text[i + 1]) : -1;
    const int low = text.size() - i > 2 ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return {ErrorCode::kInvalid, "a % without two hex digits after it: write %25 for a percent sign"};
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kHex[byte >> 4];
    encoded += kHex[byte & 15];
  }
  return encoded;
}

Result<std::optional<std::string>> HttpRequest::parameter(std::string_view name) const {
  std::string_view rest = query;
  std::optional<std::string> value;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const Result<std::string> found = percent_decode(pair.substr(0, equals));
    if (!found.ok()) return found.error();
    if (*found != name) continue;
    if (value) return {ErrorCode::kInvalid, std::string(name) + " stands twice in the query; send it once"};
    Result<std::string> given = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!given.ok()) return given.error();
    value = std::move(*given);
  }
  return value;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::string_view HttpDate::at(Timestamp now) {
  const Timestamp second = now / 1'000'000;
  if (second != second_) {
    second_ = second;
    text_ = format_http_date(now);
  }
  return text_;
}

void append_head(std::string& out, const HttpResponse& response, bool keep_alive, std::string_view date, int minor) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  append_header(out, "Date", date);
  for (const auto& [name, value] : response.headers) append_header(out, name, value);
  // These have no body by definition (RFC 9110 §6.4.1); only a 304 may say what the length would have been.
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  if (!bodiless || (response.status == 304 && response.content_length)) {
    out += "Content-Length: ";
    append_number(out, response.content_length.value_or(response.body.size()));
    out += "\r\n";
  }
  if (!keep_alive) out += "Connection: close\r\n";
  else if (minor == 0) out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

std::string encode_head(const HttpResponse& response, bool keep_alive, Timestamp date, int minor) {
  std::string out;
  append_head(out, response, keep_alive, format_http_date(date), minor);
  return out;
}

}  // namespace tako::wire
