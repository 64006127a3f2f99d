// The memcached meta commands: mg, ms, md, ma, me, mn. Part of the parser in memcached.h; pure.
//
//   mg|md|ma key flag*      ms key datalen flag*      me key [b]      mn
//   flag := a letter, its argument behind it without a blank
//
// As with memcached, every command takes every flag, checks its argument, and ignores it if it means nothing to the
// command; P and L are for proxies that route. Refused as unknown are the flags that ask for what this store does not
// keep: the last access and whether there was one (h, l of mg), and whether a value is stale and who has won the right
// to renew it (I of ms with C and of md, R and N of mg).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/memcached/memcached.h"

namespace tako::wire {

// `words`: the line's, the command first. Into a request; what is wrong makes it a refused one.
MemcachedRequest parse_memcached_meta(const std::vector<std::string_view>& words);

}  // namespace tako::wire
