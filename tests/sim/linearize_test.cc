#include "sim/linearize.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "sim/linearize_random.h"

using namespace tako;
using namespace tako::sim;
using namespace tako::sim::ordering;

namespace {

// Times are milliseconds. Every history numbers its operations from 1, in the order in which they are written down.
struct Script {
  History history;

  Script& add(Kind kind, int begin, int end, std::uint64_t value, std::uint64_t expected = 0, bool succeeded = true) {
    Operation operation{kind,     history.size() + 1, TimePoint(milliseconds(begin)), std::nullopt, value,
                        expected, succeeded};
    if (end >= 0) operation.end = TimePoint(milliseconds(end));
    history.push_back(operation);
    return *this;
  }
  Script& read(int begin, int end, std::uint64_t value) { return add(Kind::kRead, begin, end, value); }
  Script& write(int begin, int end, std::uint64_t value) { return add(Kind::kWrite, begin, end, value); }
  Script& remove(int begin, int end) { return add(Kind::kWrite, begin, end, 0); }
  Script& swap(int begin, int end, std::uint64_t from, std::uint64_t to) {
    return add(Kind::kCompareAndSet, begin, end, to, from);
  }
  Script& refuse(int begin, int end, std::uint64_t from, std::uint64_t to) {
    return add(Kind::kCompareAndSet, begin, end, to, from, false);
  }
  bool linearizable(std::uint64_t initial = 0) const {
    const Verdict verdict = check_linearizable(history, initial);
    CHECK_FALSE(verdict.gave_up);
    CHECK(verdict.explanation.empty() == verdict.linearizable);
    return verdict.linearizable;
  }
};

constexpr int kUnknown = -1;

struct Agreement {
  int accepted = 0;
  int refused = 0;
};

// Random histories of up to `operations`, as they were and spoiled, against the definition.
Agreement compare(std::uint64_t seed, int rounds, std::size_t operations) {
  Random random(seed);
  Agreement agreement;
  for (int round = 0; round < rounds; ++round) {
    Mix mix;
    mix.operations = 1 + random.below(operations);
    mix.clients = 1 + random.below(operations);
    mix.length = static_cast<std::int64_t>(random.below(20));
    mix.gap = static_cast<std::int64_t>(random.below(6));
    mix.unknown = random.below(60);
    mix.reads = random.below(60);
    mix.swaps = random.below(100 - mix.reads);
    mix.deletes = random.below(60);
    mix.initial = random.below(2);
    const bool invented = random.below(2);
    History history = invented ? invent(random, mix.operations, mix.initial) : play(random, mix);
    for (std::uint64_t spoils = invented ? 0 : random.below(6); spoils > 0; --spoils)
      spoil(random, history, mix.initial);
    const bool expected = BruteForce(history).linearizable(mix.initial);
    const Verdict verdict = check_linearizable(history, mix.initial);
    ++(expected ? agreement.accepted : agreement.refused);
    if (!verdict.gave_up && verdict.linearizable == expected) continue;
    std::string lines;
    for (const Operation& operation : history) {
      lines += "\n " + std::to_string(static_cast<int>(operation.kind)) + " " +
               std::to_string(operation.begin.time_since_epoch().count()) + ".." +
               (operation.end ? std::to_string(operation.end->time_since_epoch().count()) : "?") + " value " +
               std::to_string(operation.value) + " expected " + std::to_string(operation.expected) +
               (operation.succeeded ? "" : " refused");
    }
    FAIL("round ", round, " initial ", mix.initial, ": expected ", expected, lines, "\n", verdict.explanation);
  }
  return agreement;
}

}  // namespace

TEST_CASE("operations one after another are judged by their order") {
  CHECK(Script().linearizable());
  CHECK(Script().read(0, 1, 0).write(2, 3, 1).read(4, 5, 1).write(6, 7, 2).read(8, 9, 2).linearizable());
  CHECK_FALSE(Script().read(0, 1, 1).linearizable());                                // nobody wrote it
  CHECK_FALSE(Script().read(0, 1, 1).write(2, 3, 1).linearizable());                 // not yet
  CHECK_FALSE(Script().write(0, 1, 1).read(2, 3, 0).linearizable());                 // lost
  CHECK_FALSE(Script().write(0, 1, 1).write(2, 3, 2).read(4, 5, 1).linearizable());  // stale
}

TEST_CASE("a value is not read after another write has finished that began after it") {
  CHECK(Script().write(0, 1, 1).write(2, 6, 2).read(3, 4, 1).read(5, 9, 1).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).write(2, 6, 2).read(3, 4, 1).read(7, 9, 1).linearizable());
}

TEST_CASE("concurrent writes take effect in either order, but in one") {
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).read(6, 7, 1).linearizable());
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).read(6, 7, 2).linearizable());
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).read(1, 2, 1).read(6, 7, 2).linearizable());
  CHECK_FALSE(Script().write(0, 5, 1).write(0, 5, 2).read(6, 7, 2).read(8, 9, 1).linearizable());
  CHECK_FALSE(
      Script().write(0, 5, 1).write(0, 5, 2).read(1, 2, 1).read(3, 4, 2).read(3, 4, 1).read(6, 7, 1).linearizable());
}

TEST_CASE("what one reader has seen, no later reader goes behind") {
  CHECK(Script().write(0, 1, 1).write(2, 9, 2).read(3, 4, 1).read(5, 6, 2).linearizable());
  CHECK(Script().write(0, 1, 1).write(2, 9, 2).read(3, 5, 2).read(4, 6, 1).linearizable());  // concurrent readers
  CHECK_FALSE(Script().write(0, 1, 1).write(2, 9, 2).read(3, 4, 2).read(5, 6, 1).linearizable());
}

TEST_CASE("intervals are closed: what begins as another ends is concurrent with it") {
  CHECK(Script().write(0, 5, 1).read(5, 6, 0).linearizable());
  CHECK_FALSE(Script().write(0, 5, 1).read(6, 6, 0).linearizable());
  CHECK(Script().write(3, 3, 1).write(3, 3, 2).read(3, 3, 1).read(3, 3, 2).read(3, 3, 0).linearizable());
}

TEST_CASE("the register begins with the initial value") {
  CHECK(Script().read(0, 1, 7).write(2, 3, 1).read(4, 5, 1).linearizable(7));
  CHECK_FALSE(Script().read(0, 1, 0).linearizable(7));
  CHECK_FALSE(Script().write(0, 1, 1).read(2, 3, 7).linearizable(7));
  CHECK(Script().swap(0, 1, 7, 8).read(2, 3, 8).linearizable(7));
  CHECK_FALSE(Script().refuse(0, 1, 7, 8).linearizable(7));
}

TEST_CASE("a write of unknown outcome takes effect never, at once or much later, but once") {
  CHECK(Script().write(0, 1, 1).write(2, kUnknown, 2).read(3, 4, 1).read(90, 91, 1).linearizable());
  CHECK(Script().write(0, 1, 1).write(2, kUnknown, 2).read(3, 4, 2).read(90, 91, 2).linearizable());
  CHECK(Script().write(0, 1, 1).write(2, kUnknown, 2).read(3, 4, 1).write(50, 51, 3).read(90, 91, 2).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).write(2, kUnknown, 2).read(3, 4, 2).read(90, 91, 1).linearizable());
  CHECK_FALSE(Script().write(2, kUnknown, 2).read(3, 4, 2).write(5, 6, 3).read(7, 8, 3).read(90, 91, 2).linearizable());
  CHECK_FALSE(Script().read(0, 1, 2).write(2, kUnknown, 2).linearizable());  // not before it began
}

TEST_CASE("a read of unknown outcome says nothing") {
  CHECK(Script().write(0, 1, 1).read(2, kUnknown, 5).read(3, 4, 1).linearizable());
}

TEST_CASE("each delete makes one absence") {
  CHECK(Script().write(0, 1, 1).remove(2, 3).read(4, 5, 0).write(6, 7, 2).remove(8, 9).read(10, 11, 0).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).remove(2, 3).read(4, 5, 1).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).read(4, 5, 0).read(6, 7, 1).remove(2, 9).linearizable());
  CHECK(Script().remove(0, 9).remove(0, 9).write(2, 3, 1).read(4, 5, 0).linearizable());

  Script script;  // absent, 1, absent, 2, absent: with one delete of unknown outcome that cannot be
  script.write(0, 1, 1).remove(2, kUnknown).read(3, 4, 0).write(5, 6, 2).read(7, 8, 2).read(9, 10, 0);
  CHECK_FALSE(script.linearizable());
  CHECK(script.remove(8, kUnknown).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).read(2, 3, 0).remove(4, kUnknown).linearizable());
}

TEST_CASE("a compare-and-set takes effect at its value, and is refused at any other") {
  CHECK(Script().swap(0, 1, 0, 1).swap(2, 3, 1, 2).read(4, 5, 2).linearizable());
  CHECK_FALSE(Script().swap(0, 1, 0, 1).swap(2, 3, 0, 2).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).swap(2, 9, 1, 2).swap(2, 9, 1, 3).linearizable());  // both cannot win
  CHECK(Script().write(0, 1, 1).swap(2, 9, 1, 2).refuse(2, 9, 1, 3).linearizable());
  CHECK(Script().write(0, 1, 1).refuse(2, 3, 2, 3).read(4, 5, 1).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).refuse(2, 3, 1, 3).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).refuse(2, 3, 2, 3).read(4, 5, 3).linearizable());  // refused is refused
  CHECK(Script().write(0, 1, 1).swap(2, 3, 1, 0).read(4, 5, 0).swap(6, 7, 0, 0).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).swap(2, 3, 0, 0).linearizable());
}

TEST_CASE("a compare-and-set of unknown outcome takes effect at its value only") {
  CHECK(Script().write(0, 1, 1).swap(2, kUnknown, 1, 2).read(3, 4, 1).read(50, 51, 2).linearizable());
  CHECK(Script().write(0, 1, 1).swap(2, kUnknown, 1, 2).write(5, 6, 3).read(50, 51, 3).linearizable());
  CHECK_FALSE(
      Script().write(0, 1, 1).swap(2, kUnknown, 1, 2).write(5, 6, 3).read(7, 8, 3).read(9, 10, 2).linearizable());
  CHECK(Script().write(0, 1, 1).swap(2, kUnknown, 1, 0).read(3, 4, 0).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).swap(2, kUnknown, 5, 0).read(3, 4, 0).linearizable());
}

TEST_CASE("a write of unknown outcome that nobody read may be what a refusal shows") {
  CHECK(Script().write(0, 1, 1).write(2, kUnknown, 2).refuse(3, 4, 1, 3).linearizable());
  CHECK(Script().write(0, 1, 1).swap(2, kUnknown, 1, 2).refuse(3, 4, 1, 3).linearizable());
  CHECK(Script().write(0, 1, 1).remove(2, kUnknown).refuse(3, 4, 1, 3).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).write(5, kUnknown, 2).refuse(3, 4, 1, 3).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).write(2, kUnknown, 2).refuse(3, 4, 1, 3).read(5, 6, 1).linearizable());
  // ... or what one of the compare-and-sets of unknown outcome has found.
  CHECK(Script().write(0, 1, 1).write(2, kUnknown, 2).swap(3, kUnknown, 2, 0).read(5, 6, 0).linearizable());
  CHECK_FALSE(Script().write(0, 1, 1).write(7, kUnknown, 2).swap(3, kUnknown, 2, 0).read(5, 6, 0).linearizable());
}

TEST_CASE("a concurrent write is not put first if a refusal shows that it was last") {
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).refuse(6, 7, 1, 9).linearizable());
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).refuse(6, 7, 2, 9).linearizable());
  CHECK(Script().write(0, 5, 1).write(0, 5, 2).write(0, 5, 3).refuse(6, 7, 2, 9).refuse(6, 7, 3, 9).linearizable());
  CHECK_FALSE(Script().write(0, 5, 1).write(0, 5, 2).refuse(6, 7, 1, 9).refuse(6, 7, 2, 9).linearizable());
}

TEST_CASE("what is concurrent is not put first if it is what explains an absence or a refusal later") {
  CHECK(Script().write(0, 9, 1).write(0, 9, 2).swap(0, kUnknown, 1, 0).read(10, 11, 0).linearizable());
  CHECK(Script().write(0, 9, 2).write(0, 9, 1).swap(0, kUnknown, 1, 0).read(10, 11, 0).linearizable());
  Script tails;
  tails.write(0, 8, 1).write(0, 9, 2).swap(0, kUnknown, 1, 0).swap(30, kUnknown, 2, 0);
  CHECK(tails.read(10, 11, 0).linearizable());
  Script inside;
  inside.write(0, 2, 5).remove(0, 9).read(3, 4, 0).swap(0, 9, 0, 1).swap(0, 9, 1, 0);
  CHECK(inside.refuse(5, 6, 0, 7).linearizable());
}

TEST_CASE("operations of unknown outcome are not taken for each other") {
  Script script;  // the swap to 5 would leave the second refusal without a reason
  script.write(0, 1, 1).swap(2, kUnknown, 1, 5).swap(2, kUnknown, 1, 6).refuse(3, 4, 1, 9);
  CHECK(script.refuse(5, 6, 5, 9).linearizable());
  Script spare;  // the refusal can do without the delete, the read cannot
  spare.write(0, 4, 2).write(0, 5, 1).swap(50, kUnknown, 1, 0).refuse(6, 7, 1, 9).remove(0, kUnknown);
  CHECK(spare.write(10, 11, 3).read(12, 13, 0).linearizable());
}

TEST_CASE("a refusal names the operations that suffice, and why they do") {
  Script script;
  for (int i = 0; i < 300; ++i) script.write(10 * i, 10 * i + 5, 1000 + i).read(10 * i + 6, 10 * i + 9, 1000 + i);
  script.read(3000, 3001, 1298);
  const Verdict verdict = check_linearizable(script.history);
  CHECK_FALSE(verdict.linearizable);
  CHECK(verdict.explanation ==
        "601 operations cannot be ordered, nor can these 3:\n"
        "      2980.000 ..     2985.000 ms  #597   write 1298\n"
        "      2990.000 ..     2995.000 ms  #599   write 1299\n"
        "      3000.000 ..     3001.000 ms  #601   read 1298\n"
        "the longest order has 1 of them:\n"
        "      2980.000 ..     2985.000 ms  #597   write 1298\n"
        "the value is then 1298, and none of these can follow:\n"
        "      2990.000 ..     2995.000 ms  #599   write 1299: #601 has still to read 1298\n"
        "and it is still needed by:\n"
        "      3000.000 ..     3001.000 ms  #601   read 1298");
}

TEST_CASE("the checker gives up at its bound, and says so") {
  Random random(3);
  const History history = play(random, Mix{});
  const Verdict verdict = check_linearizable(history, 0, 10);
  CHECK_FALSE(verdict.linearizable);
  CHECK(verdict.gave_up);
  CHECK(verdict.explanation.find("no order of 1000 operations found in 10 attempts") == 0);
}

TEST_CASE("the checker says what the definition says of every small history") {
  const Agreement few = compare(1, 20'000, 6);
  CHECK(few.accepted > 5000);
  CHECK(few.refused > 5000);
  const Agreement more = compare(2, 5'000, 12);
  CHECK(more.accepted > 1000);
  CHECK(more.refused > 1000);
}

TEST_CASE("what a register has done is accepted, however long and concurrent, and with any share of unknown outcomes") {
  Random random(4);
  for (int round = 0; round < 40; ++round) {
    Mix mix;
    mix.operations = 100 + random.below(1901);
    mix.clients = 1 + random.below(50);
    mix.unknown = round % 2 ? 20 : random.below(60);
    mix.reads = 10 + random.below(50);
    mix.swaps = random.below(40);
    mix.deletes = random.below(50);
    mix.gap = static_cast<std::int64_t>(random.below(100'000));
    const History history = play(random, mix);
    const Verdict verdict = check_linearizable(history);
    CHECK_MESSAGE(verdict.linearizable, verdict.explanation);
    CHECK(verdict.configurations < 20 * history.size());
  }
}

TEST_CASE("a long history with one wrong read is refused, not given up") {
  Random random(5);
  int refused = 0;
  for (int round = 0; round < 20; ++round) {
    Mix mix;
    mix.operations = 1000;
    mix.clients = 10 + random.below(40);
    History history = play(random, mix);
    Operation& read = history[500 + random.below(500)];
    read.kind = Kind::kRead;
    read.value = history[random.below(400)].value;
    const Verdict verdict = check_linearizable(history);
    CHECK_FALSE(verdict.gave_up);
    refused += !verdict.linearizable;
    CHECK(std::count(verdict.explanation.begin(), verdict.explanation.end(), '\n') < 60);
  }
  CHECK(refused > 10);
}
