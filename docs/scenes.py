"""Takes pictures of all scenes of the explorer, to be looked at: python docs/scenes.py FOLDER."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

import ravine
from ravine.reporting.explorer.scenes import SCENES

# Until the small maps are there. Playwright's own way to wait is an eval, which the page forbids.
DRAWN = """new Promise(done => { const look = () =>
  document.querySelector(".shares") &&
  [...document.querySelectorAll(".shares")].every(e => e.textContent !== "…")
    ? done() : requestAnimationFrame(look); look(); })"""
READY = """new Promise(done => { const look = () =>
  window.ravine ? done() : requestAnimationFrame(look); look(); })"""
SIZES = {"phone": (360, 780), "desk": (1440, 900)}


def main(folder: Path) -> None:
    """A picture of each scene, by size and theme; of the first also the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    page_file = (folder / "explorer.html").resolve()
    ravine.explore().write(page_file)
    browser_file = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            for theme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=theme
                )
                page.goto(page_file.as_uri())
                page.evaluate(READY)
                for scene in SCENES:
                    page.goto(f"{page_file.as_uri()}#scene={scene.name}")
                    page.screenshot(path=folder / f"{scene.name}-{size}-{theme}.png")
                page.locator("#basins").scroll_into_view_if_needed()
                page.evaluate(DRAWN)
                page.screenshot(path=folder / f"page-{size}-{theme}.png", full_page=True)
                page.close()
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "scenes"))
