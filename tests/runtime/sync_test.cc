#include <thread>

#include <doctest/doctest.h>

#include <vector>

#include "runtime/run_on.h"
#include "runtime/workers.h"
#include "support/run_loop.h"

using namespace tako;
using namespace tako::runtime;

TEST_CASE("a signal wakes its waiter, remembers one notification, and gives up at the deadline") {
  test::VirtualLoop world(1);
  Signal signal(world.loop());
  world.run([&]() -> Task<> {
    const TimePoint begin = world.loop().now();
    const bool late = co_await signal.wait(begin + seconds(3));
    CHECK_FALSE(late);
    CHECK(world.loop().now() == begin + seconds(3));
    signal.notify();
    signal.notify();
    const bool remembered = co_await signal.wait(world.loop().now() + seconds(1));
    CHECK(remembered);
    const bool twice = co_await signal.wait(world.loop().now() + seconds(1));
    CHECK_FALSE(twice);
  });
}

TEST_CASE("timers of the same instant fire in the order they were set") {
  TimerQueue queue;
  std::vector<int> fired;
  const TimePoint at{seconds(5)};
  queue.add(at, [&] { fired.push_back(1); });
  queue.add(at - seconds(1), [&] { fired.push_back(0); });
  const auto cancelled = queue.add(at, [&] { fired.push_back(9); });
  queue.add(at, [&] {
    fired.push_back(2);
    queue.add(at, [&] { fired.push_back(3); });  // set while firing: not before the next turn
  });
  queue.cancel(cancelled);
  queue.fire_due(at);
  CHECK(fired == std::vector<int>{0, 1, 2});
  queue.fire_due(at);
  CHECK(fired == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("all timers fire when a loop stops, whatever they set or cancel meanwhile") {
  TimerQueue queue;
  std::vector<int> fired;
  TimerQueue::Id fourth{};
  queue.add(TimePoint{seconds(1)}, [&] {
    fired.push_back(1);
    queue.add(TimePoint{seconds(2)}, [&] { fired.push_back(9); });  // before the ones that are left
    queue.cancel(fourth);
  });
  queue.add(TimePoint{seconds(3)}, [&] { fired.push_back(3); });
  fourth = queue.add(TimePoint{seconds(4)}, [&] { fired.push_back(4); });
  queue.add(TimePoint::max(), [&] { fired.push_back(5); });
  queue.fire_all();
  CHECK(fired == std::vector<int>{1, 3, 5});
  CHECK(queue.size() == 1);
}

TEST_CASE("a gate is drained when the last task has left") {
  test::VirtualLoop world(1);
  Loop& loop = world.loop();
  Gate gate(loop);
  int left = 0;
  auto work = [](Loop& on, int* count, Duration time) -> Task<> {
    co_await on.sleep(time);
    ++*count;
  };
  loop.spawn(gate, work(loop, &left, seconds(1)));
  loop.spawn(gate, work(loop, &left, seconds(2)));
  world.run([&]() -> Task<> { co_await gate.drained(); });
  CHECK(left == 2);
}

TEST_CASE("slots let N in and serve the others in order; who gives up takes nothing away") {
  test::VirtualLoop world(1);
  Loop& loop = world.loop();
  Slots slots(loop, 1);
  Gate gate(loop);
  std::vector<int> order;
  auto work = [](Loop& on, Slots& s, std::vector<int>* seen, int name, Duration patience) -> Task<> {
    const bool in = co_await s.acquire(on.now() + patience);
    if (!in) {
      seen->push_back(-name);
      co_return;
    }
    seen->push_back(name);
    co_await on.sleep(seconds(2));
    s.release();
  };
  loop.spawn(gate, work(loop, slots, &order, 1, seconds(60)));
  loop.spawn(gate, work(loop, slots, &order, 2, seconds(60)));
  loop.spawn(gate, work(loop, slots, &order, 3, seconds(1)));
  loop.spawn(gate, work(loop, slots, &order, 4, seconds(60)));
  world.run([&]() -> Task<> { co_await gate.drained(); });
  CHECK(order == std::vector<int>{1, -3, 2, 4});
}

TEST_CASE("after stop every wait returns at once") {
  test::VirtualLoop world(1);
  Loop& loop = world.loop();
  Gate gate(loop);
  bool slept_out = true;
  auto sleeper = [](Loop& on, bool* whole) -> Task<> {
    *whole = co_await on.sleep(hours(1000));
    *whole |= co_await on.sleep(hours(1000));
  };
  loop.spawn(gate, sleeper(loop, &slept_out));
  world.run([&]() -> Task<> {
    co_await loop.sleep(seconds(1));
    loop.stop();
    co_await gate.drained();
  });
  CHECK_FALSE(slept_out);
}

TEST_CASE("workers run on their threads and resume on the caller's loop") {
  test::RealLoop world;
  Workers workers(2);
  const auto here = std::this_thread::get_id();
  const bool elsewhere = world.run([&]() -> Task<bool> {
    auto where = [here] { return std::this_thread::get_id() != here; };
    const bool other = co_await workers.run(std::move(where));
    CHECK(std::this_thread::get_id() == here);
    co_return other;
  });
  CHECK(elsewhere);
  Workers at_once(0);
  const bool same = world.run([&]() -> Task<bool> {
    auto where = [here] { return std::this_thread::get_id() == here; };
    co_return co_await at_once.run(std::move(where));
  });
  CHECK(same);
}
