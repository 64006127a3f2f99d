#!/usr/bin/env python3
"""What scripts/mutate draws, what it leaves alone, and how it reads what tests say."""
import importlib.machinery
import importlib.util
import pathlib
import signal
import sys
import unittest

sys.dont_write_bytecode = True
import mutants  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
LOADER = importlib.machinery.SourceFileLoader("mutate", str(HERE / "mutate"))
mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", LOADER))
sys.modules["mutate"] = mutate
LOADER.exec_module(mutate)

ENUMS = {"State": ["kGood", "kBad"], "Plant": ["kOne", "kTwo"]}


def of(statement, around="int f() {{\n  {}\n}}\n"):
    """All mutants of a statement in a function: {(before, after)}."""
    found = mutants.mutants_of("src/node/a.cc", around.format(statement), ENUMS)
    return {(one.before, one.after) for line in found.values() for one in line if one.operator != "early return"}


def early(body):
    found = mutants.mutants_of("src/node/a.cc", body, ENUMS)
    return {(one.line, one.after) for line in found.values() for one in line if one.operator == "early return"}


class Operators(unittest.TestCase):
    def test_each_operator_changes_what_it_is_for(self):
        for statement, before, after in [
            ("if (a < b) c();", "<", "<="),
            ("if (a >= b) c();", ">=", ">"),
            ("const bool x = a == b;", "==", "!="),
            ("const bool x = a && b;", "&&", "||"),
            ("return a - b;", "-", "+"),
            ("all |= some;", "|=", "&="),
            ("if (!got) c();", "!", ""),
            ("if (got) c();", "got", "!got"),
            ("if (a.size() > 3) c();", "a.size() > 3", "!(a.size() > 3)"),
            ("if (auto x = f(); x.ok()) c();", "x.ok()", "!x.ok()"),
            ("x = y + 1;", "1", "2"),
            ("x = y + 1;", "1", "0"),
            ("x.resize(all.size());", "()", "() - 1"),
            ("done_ = true;", "true", "false"),
            ("x = std::min(a, b);", "min", "max"),
            ("return State::kGood;", "kGood", "kBad"),
            ("read.key = entry.key;", "read.key = entry.key;", ";"),
            ("co_await kick.wait(next);", "co_await kick.wait(next);", ";"),
            ("++gains_;", "++gains_;", ";"),
            ("if (!got) co_return false;", "if (!got) co_return false;", ";"),
            ("for (const auto& one : all) {\n break;\n}", "break;", ";"),
            ("commit(before, after);", "before, after", "after, before"),
            ("for (const auto d : {kOne, kTwo}) c(d);", "kOne, kTwo", "kTwo, kOne"),
            ("for (const auto& one : all) {\n c(one);\n}", "{", "{ break;"),
            ("while (more()) {\n c();\n}", "{", "{ continue;"),
        ]:
            self.assertIn((before, after), of(statement), statement)

    def test_a_dropped_statement_of_several_lines_leaves_the_lines_behind_it_where_they_were(self):
        found = dict(of("send(a,\n       b);"))
        self.assertEqual(found["send(a,\n       b);"], ";\n")

    def test_an_early_return_gives_what_the_function_gives_elsewhere(self):
        body = "Task<bool> f() {\n  g();\n  if (x) co_return true;\n  co_return false;\n}\n"
        self.assertIn((2, "co_return true; "), early(body))
        self.assertIn((2, "co_return false; "), early(body))
        self.assertIn((2, "return; "), early("void f() {\n  g();\n}\n"))
        self.assertIn((2, "co_return; "), early("Task<> f() {\n  g();\n  co_await h();\n}\n"))

    def test_templates_and_types_are_no_comparisons(self):
        self.assertFalse([b for b, _ in of("std::vector<Task<int>> x = f<int>(std::move(y));") if b in "<>"])
        self.assertFalse([b for b, _ in of("auto&& x = f(y);") if b == "&&"])

    def test_declarations_are_not_dropped(self):
        for statement in ["Batch batch;", "const auto x = f();", "model::Version newer(a);", "Entry* ours = f();",
                          "std::map<int, int> all;", "return x;", "co_return f();"]:
            self.assertNotIn(";", [after for _, after in of(statement)], statement)

    def test_inside_of_lambdas_and_switches_statements_are_found(self):
        self.assertIn(("++x;", ";"), of("all.for_each([&](int p) {\n    ++x;\n  });"))
        self.assertIn(("kGood", "kBad"), of("switch (x) {\n    case State::kBad: return State::kGood;\n  }"))

    def test_what_is_read_back_is_what_was_there(self):
        text = "int f() {\n  return a < b;\n}\n"
        one, = [m for m in mutants.mutants_of("src/a/b.cc", text, {})[2] if m.operator == "relation"]
        self.assertEqual(one.applied(text), "int f() {\n  return a <= b;\n}\n")
        self.assertRaises(ValueError, one.applied, "\n" + text)
        self.assertEqual(mutants.shown(one, text), ("return a < b;", "return a <= b;"))


class LeftOut(unittest.TestCase):
    def test_what_no_test_can_judge(self):
        for statement in [
            'log::warn("value_lost", {{"node", id}, {"count", n + 1}});',
            "ASSERT(a < b);",
            "++counters_.reads;",
            "if (!accepted->stored) ++counters_.refused;",
            'if (buggify(loop.random(), "x")) co_return false;',
            "if (planted(Plant::kOne)) return true;",
            "if (!planted(Plant::kOne)) return true;",
            "const auto x = planted(Plant::kOne) ? a : b;",
            "loop_.check_here();",
            "all.reserve(n + 1);",
            "static_assert(a < b);",
            "// if (a < b) c();",
            "/* a = b; */",
            "#define X a < b",
        ]:
            self.assertEqual(of(statement), set(), statement)

    def test_the_words_of_messages(self):
        self.assertFalse(of('return Error("a < b && c == 1, true");'))
        self.assertFalse(of('x("a < 1");') - {('x("a < 1");', ";")})

    def test_a_seeded_bug_is_left_as_it_is_and_the_rest_of_its_condition_is_not(self):
        found = of("if (a < b && !planted(Plant::kOne)) c();")
        self.assertIn(("<", "<="), found)
        self.assertNotIn("&&", [before for before, _ in found])
        self.assertNotIn("kOne", [before for before, _ in found])
        self.assertNotIn("!", [before for before, _ in found])

    def test_what_is_outside_of_functions(self):
        for text in ["constexpr int kMost = 4;\n", "struct A {\n  int x = 1;\n  bool y = true;\n};\n",
                     "enum class B { kOne = 1, kTwo = 2 };\n", "namespace a {\nint x = 3;\n}\n",
                     "using X = std::array<int, 3>;\n", "int f(int x = 3);\n"]:
            self.assertEqual(mutants.mutants_of("src/node/a.cc", text, ENUMS), {}, text)

    def test_functions_of_all_shapes_are_entered(self):
        for head in ["int f() {", "Task<> A::f(int x) const {", "auto f() -> int {", "A::A(int x) : x_(x), y_{1} {",
                     "A::A(Parts parts)\n    : id_(std::move(parts.id)),\n      loop_(*parts.loop) {",
                     "namespace a {\nstruct B {\n  void f() noexcept override {"]:
            text = head + "\n  x = y;\n}"
            found = mutants.mutants_of("src/node/a.cc", text, ENUMS)
            self.assertIn((";"), [one.after for line in found.values() for one in line], text)

    def test_files_that_are_no_part_of_what_is_judged(self):
        self.assertEqual(mutants.mutants_of("src/store/engine/sim_engine.cc", "void f() {\n  x = y;\n}\n", {}), {})


class Drawing(unittest.TestCase):
    TEXT = "int f() {\n" + "".join(f"  x{i} = y < {i};\n" for i in range(20)) + "}\n"

    def setUp(self):
        self.by_file = {path: mutants.mutants_of(path, self.TEXT, {}) for path in ("src/node/a.cc", "src/node/b.cc")}

    def test_the_seed_decides(self):
        once, again, other = (mutants.draw(self.by_file, seed, 8) for seed in (1, 1, 2))
        self.assertEqual(once, again)
        self.assertNotEqual(once, other)
        self.assertEqual(mutants.draw(dict(reversed(self.by_file.items())), 1, 8), once)

    def test_each_line_is_in_one_slot(self):
        slots = mutants.draw(self.by_file, 1, 8)
        self.assertEqual(len(slots), 8)
        lines = [{(one.path, one.line) for one in slot} for slot in slots]
        self.assertEqual(sum(len(one) for one in lines), 40)
        self.assertEqual(len(set().union(*lines)), 40)
        self.assertEqual(len(mutants.draw(self.by_file, 1, 100)), 40)
        self.assertEqual(mutants.draw({}, 1, 5), [])

    def test_early_returns_come_after_the_other_mutants_of_their_line(self):
        for slot in mutants.draw(self.by_file, 1, 40):
            operators = [one.operator for one in slot]
            self.assertEqual(operators, sorted(operators, key=lambda name: name == "early return"))
            self.assertNotEqual(operators[0], "early return")

    def test_every_mutant_of_real_code_changes_it_and_keeps_its_lines(self):
        root = HERE.parent
        enums = mutants.enums_of(root)
        self.assertIn("kTimeout", enums["ErrorCode"])
        for path in ("src/node/serve/shard.cc", "src/store/store.cc"):
            text = (root / path).read_text()
            found = mutants.mutants_of(path, text, enums)
            self.assertGreater(len(found), 100)
            for one in sum(found.values(), []):
                changed = one.applied(text)
                self.assertNotEqual(changed, text)
                self.assertEqual(changed.count("\n"), text.count("\n"), one)
                if one.operator not in ("negated condition", "dropped statement"):
                    self.assertNotIn("planted", one.before, one)


class Reading(unittest.TestCase):
    def test_changed_lines_of_a_diff(self):
        diff = ("diff --git a/src/a.cc b/src/a.cc\n--- a/src/a.cc\n+++ b/src/a.cc\n@@ -1,2 +1,3 @@ int f() {\n+x\n"
                "@@ -9 +10 @@\n-a\n+b\n@@ -20,2 +20,0 @@\n-a\n-b\n--- a/src/gone.cc\n+++ /dev/null\n@@ -1,2 +0,0 @@\n")
        self.assertEqual(mutate.mutants.parse_diff(diff), {"src/a.cc": {1, 2, 3, 10}})

    def test_what_a_unit_test_says(self):
        line = "=" * 79
        said = (f"{line}\na.cc:1:\nTEST CASE:  one that only speaks\n\na.cc:2: MESSAGE: 49 ms\n\n"
                f"{line}\na.cc:5:\nTEST CASE:  the one\n\na.cc:7: ERROR: CHECK( a == b ) is NOT correct!\n\n"
                f"{line}\n[doctest] Status: FAILURE!\n")
        self.assertIsNone(mutate.unit_verdict("node_test", 0, said))
        self.assertEqual(mutate.unit_verdict("node_test", 1, said), 'node_test: "the one"')
        self.assertEqual(mutate.unit_verdict("node_test", -signal.SIGSEGV, ""), "node_test: SIGSEGV")
        self.assertEqual(mutate.unit_verdict("node_test", -signal.SIGXCPU, said), "node_test: it did not end")

    def test_what_the_compiler_says(self):
        said = "a.cc: In function 'f':\na.cc:3:5: error: no match for 'x'\n  3 | x\n"
        self.assertTrue(mutate.refused_by_compiler(said))
        self.assertFalse(mutate.refused_by_compiler("c++: fatal error: Killed signal terminated program cc1plus\n"))
        self.assertFalse(mutate.refused_by_compiler("ccache: error: no such folder\n"))

    def test_what_the_simulator_says(self):
        said = "begin 4\nok 4 x=1\nbegin 5\nfailed 5 x=1\n  not linearizable\n  more\n"
        self.assertIsNone(mutate.seed_verdict(0, said))
        self.assertEqual(mutate.seed_verdict(1, said), (5, "not linearizable"))
        self.assertEqual(mutate.seed_verdict(-signal.SIGXCPU, "begin 4\n"), (4, "it did not end"))
        self.assertRaises(mutate.Problem, mutate.seed_verdict, 2, "unknown option")

    def test_the_fixed_seeds_are_those_of_the_simulator_with_their_themes(self):
        runs = mutate.fixed_seeds()
        self.assertIn((1, 3, []), runs)
        self.assertTrue(all(first <= last and len(theme) < 2 for first, last, theme in runs))
        self.assertTrue(any(theme for _, _, theme in runs))

    def test_an_endless_process_is_ended_and_so_is_everything_when_the_time_is_up(self):
        processes = mutate.Processes(float("inf"))
        endless = [sys.executable, "-c", "while True: pass"]
        code, _ = processes.run(endless, cpu=1)
        self.assertEqual(code, -signal.SIGXCPU)
        self.assertRaises(mutate.OutOfTime, mutate.Processes(0).run, endless)
        processes.close()
        self.assertRaises(mutate.OutOfTime, processes.run, endless)


if __name__ == "__main__":
    unittest.main()
