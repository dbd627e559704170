import base64
import json
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from escapement_jax.command_line import main
from escapement_jax.command_line.tables import CONFIGURATIONS
from escapement_jax.config.toml import to_toml
from escapement_jax.io.report.contents import MOST_ROWS, read_contents, shown
from escapement_jax.io.report.page import QUESTIONS, write_report
from escapement_jax.training.run_log import note_warnings, run_log, terminal_log

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
HOSTILE = '"><script src="http://evil.example/x.js"></script>&<img src=//evil.example/y>'
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.fixture
def run(tmp_path):
    """A run directory with everything a verb may write, and hostile text wherever text may be."""
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    (folder / "config.toml").write_text(f"[infer]\nseed = 7\nregion = {json.dumps(HOSTILE)}\n")
    summary = {
        "elbo": -1234567.25,
        "converged": False,
        "sites_dropped": {HOSTILE: 3},
        "curve": list(range(99)),
        "methods": [{"name": "ELM", "r2": 0.5}, {"name": HOSTILE, "r2": None}],
        "warnings": [f"too few sweeps {HOSTILE}"],
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    rows = "".join(
        f"{HOSTILE.replace(',', '')},{10000 * i},{i / 7}\n" for i in range(MOST_ROWS + 9)
    )
    (folder / "demography.csv").write_text(f"contig,start,population_size\n{rows}")
    (folder / "figures" / "population_size.png").write_bytes(PIXEL)
    (folder / "figures" / "a<b>.png").write_bytes(PIXEL)
    (folder / "figures" / "local_tree_12.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'/>"
    )
    with terminal_log(f"escapement infer {HOSTILE}", verbose=False), run_log(folder):
        note_warnings(["too few sweeps " + HOSTILE, "only in the log"])
    return folder


class Page(HTMLParser):
    """What a browser would load, and what a reader would need."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.loads, self.links, self.alts, self.words = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.loads += [
            values[name] for name in ("src", "srcset", "data", "poster") if name in values
        ]
        if tag == "link":
            self.loads.append(values["href"])
        if tag == "a":
            self.links.append(values["href"])
        if tag == "img":
            self.alts.append(values.get("alt"))

    def handle_data(self, data):
        self.words.append(data)


def page_of(run):
    write_report(run, run / "report.html")
    text = (run / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_needs_nothing_but_itself(run):
    text, page = page_of(run)
    assert all(source.startswith("data:") for source in page.loads)
    assert {"script", "iframe", "object", "embed", "base", "form"}.isdisjoint(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_text_of_data_is_text(run):
    _, page = page_of(run)
    said = "".join(page.words)
    assert said.count(HOSTILE) > 5
    assert page.tags.count("img") == 3


def test_the_page_can_be_read_by_everybody(run):
    _, page = page_of(run)
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.removeprefix("#") in page.ids for link in page.links)
    assert all(page.alts)
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.tags.count("caption")
    assert page.tags.count("figure") == page.tags.count("figcaption") == 3


def test_warnings_come_first_and_once(run):
    text, page = page_of(run)
    contents = read_contents(run)
    assert contents.warnings == (f"too few sweeps {HOSTILE}", "only in the log")
    said = "".join(page.words)
    assert said.index("2 warnings") < said.index("too few sweeps") < said.index("-1,234,567")
    (run / "summary.json").write_text("{}")
    (run / "log.jsonl").unlink()
    assert "No warnings" in page_of(run)[0]


def test_a_run_that_was_stopped_is_told(run):
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    (run / "log.jsonl").write_text("\n".join(lines[:-1]) + '\n{"time": "cut sho', encoding="utf-8")
    assert read_contents(run).warnings[0] == "this run has not finished: what follows may be old"


def test_tables_say_what_they_leave_out(run):
    contents = read_contents(run)
    (table,) = contents.tables
    assert (len(table.rows), table.total) == (MOST_ROWS, MOST_ROWS + 9)
    assert table.numeric == (False, True, True)
    assert f"the first {MOST_ROWS} of {MOST_ROWS + 9} lines" in "".join(page_of(run)[1].words)


def test_provenance_tells_how_to_run_it_again(run):
    told = dict(read_contents(run).provenance)
    assert told["command"] == f"escapement infer {HOSTILE}"
    assert told["seed of [infer]"] == "7"
    assert "jax" in told["versions"]
    assert told["started (UTC)"].startswith("20")


@pytest.mark.parametrize("name", sorted({*CONFIGURATIONS} - {"gradient"}))
def test_every_verb_has_a_title_and_a_page(name, tmp_path):
    (tmp_path / "config.toml").write_text(to_toml(CONFIGURATIONS[name]()))
    text, page = page_of(tmp_path)
    assert QUESTIONS[name] in text
    assert "seed" in "".join(page.words)


def test_the_verb_writes_the_page_into_the_folder_or_elsewhere(run, tmp_path, capsys):
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file()
    elsewhere = tmp_path / "elsewhere.html"
    words = ["report", str(run), "--output", str(elsewhere)]
    assert [main(words), main(words), main([*words, "--force"])] == [0, 2, 0]
    assert "use --force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.toml", None, "no run directory"),
        ("config.toml", "[infer", "config.toml: not a TOML file"),
        ("summary.json", "[1", "summary.json: not JSON"),
        ("summary.json", "[1]", "summary.json: not a JSON object"),
        ("demography.csv", b"a\xff,b\n", "demography.csv: not a table"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(run, capsys, file, text, message):
    (run / file).unlink()
    if text is not None:
        (run / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["report", str(run)]) == 2
    assert message in capsys.readouterr().err
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (123456.7, "123,457"),
        (1.25e-8, "1.25e-08"),
        (float("nan"), "nan"),
        ([1, 2.5], "1, 2.5"),
    ],
)
def test_numbers_are_shown_with_few_digits(value, text):
    assert shown(value) == text


@pytest.mark.skipif(BROWSER is None, reason="needs a browser")
def test_a_browser_shows_the_page_offline(run, tmp_path):
    page_of(run)
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/u"]
    # Every host name fails to resolve: what the page does not hold it cannot get.
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=390,2400"]
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [BROWSER, *options, f"--screenshot={picture}", "--dump-dom", f"file://{run}/report.html"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    dom = Page(done.stdout)
    assert dom.tags.count("img") == 3
    assert "script" not in dom.tags
    assert "too few sweeps" in "".join(dom.words)
    complaints = ("Refused to", "ERR_", "CONSOLE")
    assert not [line for line in done.stderr.splitlines() if any(c in line for c in complaints)]
