"""The report and its sentences. Run by ctest; needs Python only."""

import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import answers  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402


def row(name, at, calls, **more):
    return {"name": name, "peer": not name.startswith("weft"), "concurrency": at, "p99_us": 10.0,
            "calls_per_s": {"median": calls, "min": calls, "max": calls}, **more}


def session(**more):
    rows = [row("raw_cq", 64, 100.0), row("weft session", 64, 600.0, ratio={"raw_cq": 6.0}), row("weft unary", 64, 110.0),
            row("bare batched stream", 64, 800.0)]
    return {"suite": "session", "question": "?", "rows": rows, **more}


def suites_in_the_program():
    return re.findall(r'^    \{"(\w+)", weft::bench::run_', (BENCH / "rpc/main.cpp").read_text(), flags=re.M)


class EverySuite(unittest.TestCase):
    def test_has_plots_answers_and_marks_in_the_readme(self):
        readme = (BENCH / "README.md").read_text()
        names = [*run.MICRO, *suites_in_the_program()]
        self.assertGreater(len(names), 15)
        for name in names:
            with self.subTest(name):
                self.assertIn(name, report.PLOTS)
                self.assertIn(name, answers.ANSWERS)
                self.assertEqual(readme.count(f"<!-- bench: {name} -->"), 1)
                self.assertEqual(readme.count(f"<!-- end: {name} -->"), 1)
                self.assertIn(f"`{name}`", readme)

    def test_has_answers_from_what_is_published(self):
        published = report.load(BENCH / "results")
        self.assertTrue(published)
        for result in published:
            with self.subTest(result["suite"]):
                self.assertTrue(answers.answers(result))


class AVoidRun(unittest.TestCase):
    def test_is_marked_in_the_table_and_on_the_page(self):
        void = session(void="the peer reached only 5.9")
        self.assertIn("**This run is void: the peer reached only 5.9.**", report.to_markdown(void))
        self.assertIn("This run is void: the peer reached only 5.9.", report.to_html([void]))
        self.assertNotIn("void", report.to_markdown(session()))

    def test_answers_nothing(self):
        self.assertTrue(answers.answers(session()))
        self.assertEqual(answers.answers(session(void="slow")), [])


class Answers(unittest.TestCase):
    def test_are_made_of_the_rows(self):
        self.assertEqual(answers.answers(session()), [
            "With 64 out a session makes 6.00 times the calls of the raw queue and 0.75 times those of a bare batched stream; "
            "unary weft 1.10."])

    def test_leave_out_what_is_void(self):
        void = session()
        void["rows"][0] = {"name": "raw_cq", "peer": True, "concurrency": 64, "void": True, "error": "refused"}
        self.assertEqual(answers.answers(void), [])

    def test_leave_out_rows_of_another_payload(self):
        other = session()
        for r in other["rows"]:
            r["payload"] = 256
        self.assertEqual(answers.answers(other), [])


class TheReport(unittest.TestCase):
    def test_replaces_what_is_between_the_marks_only(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "session.json").write_text(report.to_json(session()))
            page = folder / "README.md"
            page.write_text("before\n<!-- bench: session -->\nold\n<!-- end: session -->\nafter\n<!-- bench: x -->\nkept\n<!-- end: x -->\n")
            report.update_readme(folder, page)
            text = page.read_text()
        self.assertTrue(text.startswith("before\n<!-- bench: session -->\n- With 64 out"))
        self.assertNotIn("old", text)
        self.assertIn("after\n<!-- bench: x -->\nkept\n<!-- end: x -->\n", text)

    def test_plots_a_line_for_each_name_and_a_bar_for_each_row_that_has_the_figure(self):
        svg, legend = report.line_plot(session()["rows"], "calls_per_s", "t", "x")
        self.assertEqual(len(legend), 4)
        self.assertEqual(svg.count("<polyline"), 4)
        rows = [{"name": "a", "peer": False, "concurrency": 1, "errors": {"median": 0, "min": 0, "max": 0}},
                {"name": "b", "peer": True, "concurrency": 1}]
        self.assertEqual(report.bar_plot(rows, "errors", "t")[0].count("<rect"), 1)


class Progress(unittest.TestCase):
    def test_says_how_long_the_rest_took_once_all_of_it_has_run(self):
        self.assertEqual(run.to_go(["a", "b"], {"a": 60, "b": 120}), ", about 3 minutes to go, as last time")
        self.assertEqual(run.to_go(["a", "b"], {"a": 60}), "")


if __name__ == "__main__":
    unittest.main()
