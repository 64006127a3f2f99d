// The limits of the messages between processes: what an encoder keeps and a decoder insists on.
//
// Those of keys, values and content types are the model's (model/record.h), those of frames and connections frame.h's.
#pragma once

#include <cstddef>

namespace tako::wire {

constexpr std::size_t kNodeIdBytesMax = 255;
constexpr std::size_t kPeerIdBytesMax = kNodeIdBytesMax + 12;  // of who says hello: "coordinator:" and its id
constexpr std::size_t kListEntriesMax = 10'000;    // of a page, asked for or answered
constexpr std::size_t kListValuesBytesMax = 512 << 10;  // of records that come with a page
constexpr std::size_t kDigestNodesMax = 4096;      // sums in one message
constexpr std::size_t kCollectRunsMax = 4096;      // of partitions, asked for or answered
constexpr std::size_t kRenewedMax = 64;            // incarnations beside a vote
constexpr std::size_t kIncarnationsMax = 1024;     // ... in the answer to an announcement
constexpr std::size_t kConfigBytesMax = 4 << 20;   // a configuration's text
constexpr std::size_t kStatusBytesMax = 1 << 20;   // a status in JSON
constexpr std::size_t kErrorBytesMax = 1000;       // an error's message: longer ones are cut

}  // namespace tako::wire
