"""Times the explorer in headless Chromium: first paint, and the work of a frame while dragging.

python benchmarks/explorer.py: eight rules of 1,000 steps each, the start dragged 240 times.
"""

import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import ravine
from ravine.rules import RULES

DRAGS, LOADS = 240, 7
PAINT = """new Promise(done => new PerformanceObserver(list => done(list.getEntries().find(
  e => e.name === 'first-contentful-paint')?.startTime)
).observe({type: 'paint', buffered: true}))"""


def main() -> None:
    """Print the figures and their goals."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "explorer.html"
        ravine.explore(rules=",".join(RULES), steps=1000).write(path)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        paints = []
        for _ in range(LOADS):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(path.as_uri())
            paints.append(page.evaluate(PAINT))
            if len(paints) < LOADS:
                page.close()
        page.evaluate("performance.clearMeasures()")
        box = page.locator("#paths").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.mouse.down()
        for i in range(DRAGS):
            page.mouse.move(box["x"] + 60 + 1.6 * i, box["y"] + 60 + (37 * i) % 300)
        frames = page.evaluate("performance.getEntriesByName('frame').map(e => e.duration)")
        page.mouse.up()
        p95 = statistics.quantiles(frames, n=20)[-1]
        print(f"page          {path.stat().st_size / 1000:6.1f} kB   goal 150")
        print(f"first paint   {statistics.median(paints):6.0f} ms   goal 500   ({LOADS} loads)")
        print(f"dragged frame {p95:6.1f} ms   goal  10   (p95 of {len(frames)};")
        print(f"              {statistics.median(frames):6.1f} ms   median)")
        browser.close()


if __name__ == "__main__":
    main()
