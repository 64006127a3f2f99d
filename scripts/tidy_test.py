#!/usr/bin/env python3
"""Feeds tidy.py what it must find, and what it must leave alone."""
import unittest

import tidy

HEADER = '// What it is.\n#pragma once\n'


def found(text, path='src/node/a.cc', known=()):
    return [message for _, message in tidy.check(path, text, known) if not message.startswith('note:')]


def coroutine(statement):
    return found('Task<void> f() {\n  ' + statement + '\n}\n')


class Slots(unittest.TestCase):
    def test_rows_are_written_in_one_file(self):
        for write in ('put(Family::kMeta, a, b);', 'erase(Family::kMeta, a);', 'erase_range(Family::kMeta, a, b);'):
            code = f'void f() {{ batch.{write} }}\n'
            self.assertTrue(found(code, 'src/store/store.cc'))
            self.assertFalse(found(code, 'src/store/slot_writes.cc'))
            self.assertFalse(found(code, 'tests/store/a.cc'))
        self.assertFalse(found('void f() { engine.get(Family::kMeta, row); }\n', 'src/store/store.cc'))


class Coroutines(unittest.TestCase):
    def test_forms_that_the_compiler_gets_wrong_are_found(self):
        for bad in [
            'if (co_await f()) return;',
            'if (!co_await f()) return;',
            'if ((co_await f()).ok()) return;',
            'if (a && co_await f()) return;',
            'if (const auto x = g(); co_await f(x)) return;',
            'switch (co_await f()) { default: break; }',
            'co_await f({a, b});',
            'co_await f(P{a, b});',
            'co_await f(P{.a = 1});',
            'const auto r = co_await this->call(to, P{std::move(k)}, deadline);',
            'const P p{co_await a(), co_await b()};',
            'const P p = {co_await a(), 2};',
            'co_return P{co_await a()};',
            'const auto v = c ? co_await f() : g();',
            'const auto v = c ? g() : co_await f();',
            'const auto v = co_await f() ? 1 : 2;',
            'const bool b = co_await f(a ? Bytes() : std::move(x));',
            'co_await run([y] { return y; });',
            'co_await run([&] { return y; });',
            'co_await run([=] { return y; });',
            'co_await run([this, y] { return y; });',
            'co_await run([y = std::move(x)]() mutable { return y; });',
            'co_await [z](int a) -> Task<void> { co_return; }(1);',
        ]:
            self.assertTrue(coroutine(bad), bad)

    def test_forms_that_are_right_are_left_alone(self):
        for good in [
            'const bool ok = co_await f(x); if (ok) return;',
            'if (auto v = co_await f(); v.ok()) return;',
            'if (const auto v = co_await f()) return;',
            'while (co_await f()) {}',
            'for (int i = 0; i < 3; ++i) { co_await f(i); }',
            'for (auto& p : ps) co_await f(p);',
            'if (a) { co_await f(); } else { co_await g(); }',
            'do { co_await f(); } while (a);',
            'co_return co_await f();',
            'Request r; r.key = k; auto reply = co_await net.call(to, std::move(r), deadline);',
            'auto work = [y] { return y; }; co_await run(std::move(work));',
            'const int n = a ? 1 : 2; co_await f(n);',
            'const bool b = co_await f(a ? &x : nullptr, y[(i)]);',
            'const auto v = co_await f(xs[i]);',
            'log("co_await {a}? no"); // if (co_await f())',
            'auto g = [](int a) -> Task<void> { co_await f(a); }; spawn(g);',
        ]:
            self.assertEqual([], coroutine(good), good)

    def test_the_line_is_the_one_at_fault(self):
        findings = list(tidy.check('src/node/a.cc', '// a\n\n/* b\n */\nT f() {\n  if (co_await g()) {}\n}\n'))
        self.assertEqual([6], [line for line, _ in findings])


class Layers(unittest.TestCase):
    KNOWN = {'base/result.h', 'node/node.h', 'net/transport.h', 'wire/http/http.h', 'runtime/loop.h',
             'api/common/pace.h', 'api/http/api.h', 'node/repair/repair.h', 'node/serve/shard.h'}

    def includes(self, path, name):
        return found(f'#include {name}\n', path, self.KNOWN)

    def test_a_folder_includes_only_what_stands_below_it(self):
        self.assertEqual([], self.includes('src/node/a.cc', '"base/result.h"'))
        self.assertEqual([], self.includes('src/node/a.cc', '"net/transport.h"'))
        self.assertEqual([], self.includes('src/node/a.cc', '"node/node.h"'))
        self.assertTrue(self.includes('src/base/a.cc', '"node/node.h"'))
        self.assertTrue(self.includes('src/net/a.cc', '"node/node.h"'))

    def test_neighbours_do_not_know_each_other(self):
        self.assertTrue(self.includes('src/node/a.cc', '"api/http/api.h"'))
        self.assertTrue(self.includes('src/wire/a.cc', '"runtime/loop.h"'))

    def test_a_room_includes_only_rooms_below_it(self):
        self.assertEqual([], self.includes('src/api/http/a.cc', '"api/common/pace.h"'))
        self.assertEqual([], self.includes('src/api/http/a.cc', '"api/http/api.h"'))
        self.assertTrue(self.includes('src/api/memcached/a.cc', '"api/http/api.h"'))
        self.assertTrue(self.includes('src/api/common/a.cc', '"api/http/api.h"'))
        self.assertEqual([], self.includes('src/node/repair/a.cc', '"node/serve/shard.h"'))
        self.assertTrue(self.includes('src/node/serve/a.cc', '"node/repair/repair.h"'))
        self.assertEqual([], self.includes('src/node/node.cc', '"node/repair/repair.h"'))
        self.assertTrue(self.includes('src/node/repair/a.cc', '"node/node.h"'))

    def test_includes_are_written_from_the_root_and_exist(self):
        self.assertTrue(self.includes('src/node/a.cc', '"node.h"'))
        self.assertTrue(self.includes('src/node/a.cc', '"node/nothing.h"'))

    def test_third_parties_stay_in_their_place(self):
        for name, home, elsewhere in [
            ('<spdlog/spdlog.h>', 'src/base/log.cc', 'src/base/log.h'),
            ('<yaml-cpp/yaml.h>', 'src/model/config_yaml.cc', 'src/control/a.cc'),
            ('<llhttp.h>', 'src/wire/http/head.cc', 'src/net/a.cc'),
            ('<rocksdb/db.h>', 'src/store/engine/rocks_engine.cc', 'src/store/store.cc'),
            ('<asio/io_context.hpp>', 'src/net/a.cc', 'src/node/a.cc'),
            ('<CLI/CLI.hpp>', 'src/roles/command_line.cc', 'src/roles/options.cc'),
            ('<nlohmann/json.hpp>', 'src/ctl/a.cc', 'src/store/a.cc'),
        ]:
            self.assertEqual([], self.includes(home, name), name)
            self.assertTrue(self.includes(elsewhere, name), name)


class World(unittest.TestCase):
    def test_time_randomness_threads_sockets_and_files_are_confined(self):
        for word in [
            'auto t = std::chrono::steady_clock::now();',
            'auto t = std::chrono::system_clock::now();',
            'auto t = time(nullptr);',
            'std::random_device d;',
            'std::thread t(f);',
            'std::jthread t(f);',
            'std::this_thread::sleep_for(d);',
            'int s = ::socket(a, b, c);',
            'FILE* f = fopen(a, b);',
            'std::ifstream in(path);',
            'int f = ::open(path, O_RDONLY);',
            'asio::co_spawn(x, f(), asio::detached);',
        ]:
            self.assertTrue(found(word + '\n', 'src/proxy/a.cc'), word)
            self.assertEqual([], found('// ' + word + '\n', 'src/proxy/a.cc'), word)
        self.assertEqual([], found('auto t = std::chrono::steady_clock::now();\n', 'src/runtime/clock.cc'))
        self.assertEqual([], found('auto n = loop.now(); request.time(3); store.open(path);\n', 'src/node/a.cc'))


class Shape(unittest.TestCase):
    def test_sizes(self):
        self.assertTrue(found('int a;\n' * 501))
        self.assertEqual([], found('int a;\n' * 500))
        self.assertTrue(found('//' + 'x' * 119 + '\n'))
        self.assertEqual([], found('//' + 'x' * 118 + '\n'))
        self.assertTrue(found('int f() {\n' + '  g();\n' * 90 + '}\n'))
        self.assertEqual([], found('int f() {\n' + '  g();\n' * 60 + '}\n'))

    def test_only_functions_count_as_functions(self):
        class_body = 'class A {\n public:\n' + '  void f() { g(); }\n' * 100 + '};\n'
        self.assertEqual([], found('namespace x {\n' + class_body + '}  // namespace x\n'))
        self.assertEqual([], found('const int a[] = {\n' + '  1,\n' * 100 + '};\n'))

    def test_headers_open_with_a_comment_and_a_guard(self):
        self.assertEqual([], found(HEADER, 'src/node/a.h'))
        self.assertTrue(found('#pragma once\n', 'src/node/a.h'))
        self.assertTrue(found('// What it is.\n', 'src/node/a.h'))

    def test_leftovers_and_paths_of_one_machine(self):
        self.assertTrue(found('// TO' 'DO: more\n'))
        self.assertTrue(found('// see /home' '/me/notes\n'))
        self.assertEqual([], found('// see /etc/tako and /var/lib/tako\n'))
        self.assertTrue(found('int a; \n'))
        self.assertTrue(found('\tint a;\n'))

    def test_digit_separators_and_raw_strings_do_not_confuse_it(self):
        self.assertEqual([], found('const int a = 1\'000; const char* b = "x"; const char c = \'"\';\nint d;\n'))
        self.assertEqual([], found('auto s = R"(if (co_await f()) "{ )";\n'))


class Citations(unittest.TestCase):
    PROJECT = {
        'README.md': '',
        'src/README.md': '',
        'src/protocol.md': '## 1. What is promised\n\n**Rule 8: quorums.** Bugs: `kSmallQuorum`.\n\n'
                           '**Rule 9: writes.**\n\n### 1.2 More\n\n**Rule D5a.** Bugs: `kLost`.\n',
        'src/protocol/planned.md': '**Rule R1: register.**\n',
        'src/base/plant.h': 'X(kSmallQuorum, "8", "half is enough")\nX(kLost, "D5a", "lost")\n'
                            'X(kOther, "-", "other")\n',
        'src/node/pass.h': 'constexpr int kLimit = 3;\nvoid run();\n',
        'src/node/serve/shard.h': '',
        'tests/node/pass_test.cc': 'TEST_CASE("a pass ends") {}\n'
                                   'TEST_CASE_FIXTURE(World,\n  "a \\"pass\\" told stale "\n  "goes on") {}\n',
        'tests/e2e/test_repair.py': 'def test_a_cycle_ends(self):\n',
        'scripts/run': '#!/usr/bin/env python3\n',
    }

    def found(self, path, text):
        project = tidy.Project({**self.PROJECT, path: text})
        return sorted(tidy.citations(path, text, project))

    def messages(self, path, text):
        return [message for _, message in self.found(path, text)]

    def none_in(self, path, *texts):
        for text in texts:
            self.assertEqual([], self.found(path, text), text)

    def one_in(self, path, *texts):
        for text in texts:
            self.assertEqual(1, len(self.found(path, text)), (text, self.found(path, text)))

    def test_rules_in_comments(self):
        self.none_in('src/node/a.cc', '// By rule 8.\n', '// (protocol rules 8 and 9)\n', '// rules 8,\n// 9, D5a\n',
                     '// D5, that is rule D5a.\n', '// rule R1\n', '/* rules 8\n * to 9 */\n',
                     '// 7 rules, and rule of 3\n',
                     'auto s = "rule 7, D7";\nint rule = 7;\n', 'int D7;\n', 'rule();  // the rule\nf(7);\n')
        self.one_in('src/node/a.cc', '// By rule 7.\n', '// Rules 8 and 10.\n', '// rules 8,\n// 10, 9\n',
                    '// D7\n', '// rule D5c\n', '// rule R2\n', '/* rules 8\n * to 10 */\n', 'f();  // rule 7\n')
        self.one_in('src/README.md', 'By rule 7.\n')
        self.one_in('scripts/run', '#!/bin/sh\n# by rule 7\n')
        self.assertEqual([(3, 'cites rule 7, which src/protocol.md does not define')],
                         self.found('src/node/a.cc', 'int a;\n// By rules 8 and\n// 7.\n'))

    def test_sections_and_documents_that_are_not_in_the_repository(self):
        self.none_in('src/node/a.cc', '// protocol.md §1\n', '// (src/protocol.md, section 1.2)\n',
                     '// AF_UNSPEC 5, by reference\n')
        self.one_in('src/node/a.cc', '// protocol.md §2\n', '// protocol.md §1(7)\n', '// src/protocol.md, section 3\n',
                    '// protocol2.md\n', '// see reference/ring\n', '// SPEC §5 promises it\n', '// DESIGN §1.5\n')

    def test_files_in_comments(self):
        self.none_in('src/node/a.cc', '// node/pass.h\n', '// src/node/pass.h, pass.h: both\n', '// scripts/run -f\n',
                     '// tests/node, node/pass_test.cc\n', '// <asio/gone.h>, http://x/src/gone.h\n', '// p*.h\n',
                     '#include "node/gone.h"\n', '// src/node/{pass,plant}.h\n', '// build/tako, /src/gone\n')
        self.one_in('src/node/a.cc', '// node/gone.h\n', '// gone.cc\n', '// scripts/gone\n', '// tests/gone, or\n',
                    '// see src/node/gone_*.h\n', '// shard.h\n', '// plant.h\n', 'f();  // node/shard.h\n')
        self.assertEqual(['cites node/shard.h, which does not exist; there is src/node/serve/shard.h'],
                         self.messages('src/node/a.cc', '// node/shard.h\n'))
        self.one_in('scripts/a.py', '"""Of node/gone.h."""\n', 'f()  # node/gone.h\n')
        self.none_in('scripts/a.py', 'f("node/gone.h")\n', "g = '''\n# node/gone.h\n'''\n")

    def test_files_and_links_in_markdown(self):
        self.none_in('src/README.md', 'In `node/pass.h`, `node/pass`, `pass.h`, `shard.h` and `tests/node`.\n',
                     '[it](node/pass.h), [more](https://x.y/z), [below](#part), `[x](y)`, `/values/gone.html`\n',
                     '    scripts/run src/node\n', '`p*_test.cc`, `GET /values/k`, `read/write`\n')
        self.one_in('src/README.md', '`node/gone`\n', '`gone.h`\n', '[it](node/gone.h#x)\n', '[it](gone)\n',
                    '    scripts/gone --fast\n', '`g*_test.cc`\n')
        self.none_in('README.md', '[it](src/protocol.md)\n')
        self.one_in('README.md', '[it](src/gone)\n')

    def test_seeded_bugs(self):
        self.none_in('src/README.md', '`kLost`, `kSm…`, `kLimit`, kGone without marks\n')
        self.one_in('src/README.md', '`kGone`\n', '`kGone…`\n', '`kLim*`\n')
        plants = self.PROJECT['src/base/plant.h']
        self.none_in('src/base/plant.h', plants)
        self.one_in('src/base/plant.h', plants.replace('"8"', '"7"'), plants.replace('"8"', '"9"'))

    def test_tests_and_functions(self):
        self.none_in('src/README.md', '`tests/node/pass_test.cc` "a pass ends"\n', '`tests/e2e` "a cycle ends"\n',
                     '`tests/node/pass_test.cc` "a\n  pass ends" and "a pass…"; "gone"\n',
                     '`tests/node`: "a pass ends", "a pass…"\n', '`tests/node`: \u00aba pass e…\u00bb\n',
                     '`node/pass.h` `run()`\n')
        self.one_in('src/README.md', '`tests/node/pass_test.cc` "a pass"\n', '`tests/node`: "a pass ends", "gone…"\n',
                    '`tests/node/pass_test.cc` "a pass ends" and "gone"\n', '`tests/e2e` "a pass ends"\n',
                    'so says "gone…"\n', '`tests/node`: \u00abgone…\u00bb\n', '`node/pass.h` `run()` `gone()`\n')
        names = tidy.Project(self.PROJECT).tests['tests/node/pass_test.cc']
        self.assertEqual(['a pass ends', 'a "pass" told stale goes on'], names)


if __name__ == '__main__':
    unittest.main()
