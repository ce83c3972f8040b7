"""What a report costs: its size, and in headless Chromium its first paint, tasks and memory.

python benchmarks/report.py [--loads 5]: a race of 402 runs and one of 9,982, of 2,000 steps each,
by formula but stored as real ones are. The pages are opened from disk and scrolled to their end.
"""

import argparse
import math
import resource
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright
from synthetic import STEPS, race

RACES = {"402": {}, "9,982": {"eval_seeds": 16, "repetitions": 31}}
WATCH = """
window.tasks = [];
new PerformanceObserver(list => list.getEntries().forEach(
  e => tasks.push([e.startTime, e.duration])))
  .observe({type: 'longtask', buffered: true});
"""
PAINT = """new Promise(done => new PerformanceObserver(list => done(list.getEntries().find(
  e => e.name === 'first-contentful-paint')?.startTime)
).observe({type: 'paint', buffered: true}))"""
# To the end of the page, and then a hand on every chart, which makes it live.
SCROLL = """(async () => {
  const pause = time => new Promise(done => setTimeout(done, time));
  for (const figure of document.querySelectorAll("figure")) {
    figure.scrollIntoView();
    await pause(100);
  }
  document.querySelector("#runs").scrollIntoView();
  await pause(1500);
  return performance.now();
})()"""
TOUCH = """(async () => {
  const pause = time => new Promise(done => setTimeout(done, time));
  for (const figure of document.querySelectorAll("figure")) {
    figure.dispatchEvent(new PointerEvent("pointerenter"));
    for (let i = 0; i < 200 && figure.querySelector(".picture.still"); i++) await pause(50);
    await pause(100);
  }
})()"""


class Visit(NamedTuple):
    """Milliseconds, and megabytes of JavaScript's heap."""

    paint: float
    loading: list[float]  # tasks above 50 ms, until the page had loaded
    later: list[float]  # while it was scrolled to its end
    touched: list[float]  # while all charts became live, one after the other
    heap: float


def visit(browser: Browser, page_file: Path) -> Visit:
    """Open the page, and scroll down until every chart is drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCH)
    page.goto(page_file.as_uri())
    paint = page.evaluate(PAINT)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    scrolled = page.evaluate(SCROLL)
    page.evaluate(TOUCH)
    tasks = page.evaluate("tasks")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    heap = next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize")
    page.close()
    ends = (0.0, loaded, scrolled, math.inf)
    lengths = [[n for start, n in tasks if a <= start < b] for a, b in pairwise(ends)]
    return Visit(paint, *lengths, heap / 1e6)


def main() -> None:
    """Print a table, a row a race."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--loads", type=int, default=5)
    loads = parser.parse_args().loads
    print(f"| runs of {STEPS:,} steps | page | first paint | longest task until loaded ", end="")
    print("| while scrolled | of a chart that becomes live | heap |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        for runs, size in RACES.items():
            made = race(Path(folder) / runs, **size)
            assert len(made.results.curves) == int(runs.replace(",", ""))
            page_file = made.report()
            visits = [visit(browser, page_file) for _ in range(loads)]
            paint, heap = (median(getattr(v, n) for v in visits) for n in ("paint", "heap"))
            longest = [
                median(max(getattr(v, n), default=0.0) for v in visits)
                for n in ("loading", "later", "touched")
            ]
            said = " | ".join(f"{task:.0f} ms" if task else "≤ 50 ms" for task in longest)
            megabytes = page_file.stat().st_size / 1e6
            print(f"| {runs} | {megabytes:.2f} MB | {paint:.0f} ms | {said} | {heap:.0f} MB |")
        browser.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"\nMedians of {loads} loads. Python's own peak: {peak:,.0f} MB.")


if __name__ == "__main__":
    main()
