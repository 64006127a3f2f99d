// What this process does on a signal, and the descriptors it begins with: settled once, first thing in main, whatever
// the parent left behind (a blocked mask, ignored signals, closed descriptors). The only place that sets a disposition.
//
// A server ends in order on SIGTERM and SIGINT and opens its log anew on SIGHUP; nothing that only tells of a full disk
// or of a reader that went away may end it. A tool is ended by a signal at once, as its user expects.
// One table for the whole process: all functions are for the main thread.
#pragma once

namespace tako::runtime {

enum class Life : unsigned char { kServer, kTool };

// Descriptors 0 to 2 that are closed are opened, such that reading or writing them is an error (EBADF): else the next
// file or socket would get that number, and be taken for the input or the output.
void settle_descriptors();

// Before any thread is made. Until watch_signals() a server that is asked to stop has nothing to put in order: it ends
// with exit code 0 there and then.
void settle_signals(Life life);

// Of a server, once: a pipe that does not block, a byte for each signal (its number). It stays open to the very end, so
// signals do no harm while the process goes down.
int watch_signals();

}  // namespace tako::runtime
