// The memcached meta commands: mg, ms, md, ma, me, mn. Part of the parser in memcached.h; pure.
//
//   mg|md|ma|me key flag*      ms key datalen flag*      mn
//   flag := a letter, its argument behind it without a blank
//
// P and L are for proxies that route, and ignored. Flags that this store has nothing to answer to are refused as
// memcached refuses those it does not know: it keeps no time of the last access and no hit (h, l), and a record has no
// room for «stale» and «won» (I, R, and N of mg).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/memcached.h"

namespace tako::wire {

// `words`: the line's, the command first. Into a request; what is wrong makes it a refused one.
MemcachedRequest parse_memcached_meta(const std::vector<std::string_view>& words);

}  // namespace tako::wire
