// How jemalloc is set in the `tako` binary; MALLOC_CONF in the environment wins (its man page, "TUNING").
//
// percpu_arena    One arena for each processor, not four: what the others would keep free is not resident.
// thp             In pages of 2 MiB. A search in a memtable touches some twenty places far from each other, each in
//                 a page of its own. The price is memory: a proxy beside two hundred clients that stall had 322 and
//                 356 MiB with it, 250 without. MALLOC_CONF=thp:default undoes it.
// dirty_decay_ms  What a burst of large values took goes back to the system within a second of its end, not ten.
extern "C" {
const char* malloc_conf = "percpu_arena:percpu,thp:always,dirty_decay_ms:1000";
}
