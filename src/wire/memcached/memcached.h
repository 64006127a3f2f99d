// The memcached text protocol: requests out of bytes, and the lines of answers. reference: doc/protocol.txt of
// memcached 1.6, and where its server does otherwise, the server. Pure; one parser a connection, on its loop. What a
// line says: line.cc. The meta commands' flags: meta.h.
//
//   line      := [SP] verb [SP arguments] [CR] LF      one or more blanks between arguments
//   storage   := line block CR LF                      set add replace append prepend cas, ms
//
// What is wrong is a request too, of the verb kRefused, with the line to answer: the stream goes on after it, behind
// the data block if the line said how long that is, else behind the next line feed. So nothing a client stores is ever
// taken for a command. Only what leaves no place to go on from (the binary protocol, a block longer than any value)
// says `last`: the connection ends with its answer. An HTTP request and a line without an end are `last` with an empty
// answer: the connection is closed at once, as memcached closes it, so that nothing behind them is carried out.
// Bounds: a line has kMemcachedLineBytesMax; that of a get may be longer, and comes as several requests of up to
// kMemcachedKeysAtOnce keys, so that its length costs nothing. A block of up to a piece comes with its request, a
// larger one in pieces, taken by whoever handles the request, or skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/record.h"

namespace tako::wire {

constexpr std::size_t kMemcachedKeyBytesMax = 250;
constexpr std::size_t kMemcachedLineBytesMax = 16 << 10;  // with its line feed: what memcached's read buffer takes
constexpr std::size_t kMemcachedKeysAtOnce = 32;
constexpr std::size_t kMemcachedKeysMax = 1'000'000;  // of one line
constexpr std::size_t kMemcachedOpaqueBytesMax = 31;
constexpr std::int64_t kMemcachedTimeMax = 253'402'300'799;  // the end of the year 9999

enum class MemcachedVerb : unsigned char {
  kRefused,
  kGet,
  kGets,
  kGat,
  kGats,
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncr,
  kDecr,
  kDelete,
  kTouch,
  kFlushAll,
  kStats,
  kVersion,
  kVerbosity,
  kQuit,
  kMetaGet,
  kMetaSet,
  kMetaDelete,
  kMetaArithmetic,
  kMetaDebug,
  kMetaNoop,
};

// What the flags of a meta command say.
struct MemcachedMeta {
  std::string flags;     // each one's letter, in their order, also of those that mean nothing to this command
  std::string sent_key;  // as the client wrote it: base64 with `b`
  std::string opaque;
  std::optional<std::uint64_t> cas;    // C
  std::optional<std::int64_t> time;    // T
  std::optional<std::int64_t> vivify;  // N: make it where there is none
  std::uint64_t initial = 0;           // J
  char mode = 0;                       // M: of ms E A P R S, of ma I D
  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
  // Of T and N, on something new: the one that comes last.
  std::optional<std::int64_t> time_of_new() const {
    const bool time_last = time && (!vivify || flags.find('T') > flags.find('N'));
    return time_last ? time : vivify;
  }
};

struct MemcachedRequest {
  MemcachedVerb verb = MemcachedVerb::kRefused;
  std::vector<std::string> keys;  // one; of the gets one or more, of gat and gats perhaps none
  bool more = false;              // keys of the same line come in the next request
  std::uint32_t flags = 0;
  std::int64_t time = 0;     // exptime, as it was sent
  std::uint64_t number = 0;  // cas unique, or the delta
  bool noreply = false;  // also of kRefused: `answer` is not said
  std::uint64_t data_bytes = 0;
  bool block_follows = false;  // of kRefused: data_bytes and their line end are to be skipped
  Bytes data;  // all of it, where it has up to a piece
  MemcachedMeta meta;
  std::string argument;  // of stats
  std::string answer;    // of kRefused, without its line end; empty, with `last`: nothing is said
  bool last = false;     // the connection ends with this one's answer

  bool large() const { return data_bytes > model::kPieceBytes; }
  bool gets() const { return verb >= MemcachedVerb::kGet && verb <= MemcachedVerb::kGats; }
};

class MemcachedParser {
 public:
  enum class State : unsigned char {
    kOpen,     // more bytes are needed
    kRequest,  // request() is there, with its block if it is small
    kPart,     // of a large block: take_part()
    kEnd,      // the large block has ended
    kBroken,   // ... and not as it should; refusal() says so
  };

  // How many bytes it took: all, or those up to the next state to act on. In any other state than kOpen: none; with a
  // large block to come, begin_block() opens it again after kRequest, and take_part() after kPart.
  std::size_t feed(std::string_view bytes);
  State state() const { return state_; }
  MemcachedRequest& request() { return request_; }

  void begin_block();
  Bytes take_part();
  // A small block that is still coming is not wanted. REQUIRES: state() is kOpen, in_block()
  void refuse_block(std::string answer);
  // The keys of this line that are still to come are not wanted.
  void skip_keys();

  // To the next request, past what was left of this one's block. It may be there already: see state().
  void next();

  // A line of which this much has come is longer than those of honest clients, but for gets.
  bool long_line_open() const { return in_line() && state_ == State::kOpen && line_.size() > kUsualLineBytesMax; }
  // Nothing of a request has come, and nothing is being skipped.
  bool idle() const { return phase_ == Phase::kLine && state_ == State::kOpen && line_.empty(); }
  // Of a block that nobody wants, still to come.
  std::uint64_t to_skip() const { return phase_ == Phase::kSkipBlock ? left_ : 0; }
  // Bytes held for the request at hand, or on their way into it.
  std::size_t held() const { return line_.size() + part_.size() + request_.data.size(); }
  bool in_line() const { return phase_ == Phase::kLine; }
  bool in_block() const { return phase_ == Phase::kBlock || phase_ == Phase::kLineEnd; }
  std::uint64_t block_left() const { return left_; }

 private:
  enum class Phase : unsigned char { kLine, kKeys, kBlock, kLineEnd, kSkipLine, kSkipBlock };
  static constexpr std::size_t kUsualLineBytesMax = 2048;

  std::size_t take_line(std::string_view bytes);
  std::size_t take_block(std::string_view bytes);
  std::size_t take_line_end(std::string_view bytes);
  std::size_t skip(std::string_view bytes);
  void long_line();
  void end_line();
  void begin_keys();
  void give_keys();
  void refuse(std::string answer, bool noreply = false);
  void hang_up();

  State state_ = State::kOpen;
  Phase phase_ = Phase::kLine;
  bool begun_ = false;  // a byte has come
  MemcachedRequest request_;
  std::string line_;         // of kKeys: what is left of it
  bool line_ended_ = false;  // of kKeys: it has come to its end
  std::size_t keys_given_ = 0;
  std::string part_;
  std::uint64_t left_ = 0;  // of the block, or to be skipped
  int line_end_at_ = 0;     // CR, LF
};

// A request of one line, without its line end; storage commands without their block, and of the gets only the verb.
MemcachedRequest parse_memcached_line(std::string_view line);

// 1 to 250 bytes, without blanks, CR, LF and NUL.
bool memcached_key_ok(std::string_view key);

// What the parsers of classic and meta lines share.
std::vector<std::string_view> memcached_words(std::string_view line);
MemcachedVerb memcached_verb(std::string_view word);
// As memcached reads it: white space and a sign may stand before the digits, white space with anything behind it or a
// NUL after them. Unlike memcached, a number that does not fit is none; it keeps the lower 32 bits of some.
template <class Number>
std::optional<Number> memcached_number(std::string_view text);
extern template std::optional<std::uint32_t> memcached_number(std::string_view);
extern template std::optional<std::uint64_t> memcached_number(std::string_view);
extern template std::optional<std::int64_t> memcached_number(std::string_view);
// An exptime.
std::optional<std::int64_t> memcached_time(std::string_view text);
// The length of a block. Where it is none: how much is to be skipped all the same, kMemcachedNoEnd where that is
// beyond every limit.
struct MemcachedLength {
  bool ok = false;
  std::uint64_t bytes = 0;
};
constexpr std::uint64_t kMemcachedNoEnd = ~std::uint64_t{0};
MemcachedLength memcached_length(std::string_view text);
// `block`: what the line said of it, if it said anything.
MemcachedRequest memcached_refusal(std::string answer, bool noreply = false, MemcachedLength block = {});

// Clients read from it what they may ask for: that of the protocol, and ours behind it.
inline constexpr char kMemcachedVersion[] = "1.6.18-tako-" TAKO_VERSION;
inline constexpr char kMemcachedError[] = "ERROR";
inline constexpr char kMemcachedBadLine[] = "CLIENT_ERROR bad command line format";
inline constexpr char kMemcachedTimeInvalid[] = "CLIENT_ERROR invalid exptime argument";
inline constexpr char kMemcachedTooLarge[] = "SERVER_ERROR object too large for cache";

// `VALUE key flags bytes [cas]`, with its line end.
std::string memcached_value_line(std::string_view key, std::uint32_t flags, std::uint64_t bytes,
                                 std::optional<std::uint64_t> cas);

}  // namespace tako::wire
