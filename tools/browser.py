"""Start the Chromium of this machine, for the tests in a browser and for printing the book.

python tools/browser.py   print its path; fail where there is none
"""

import os
import shutil
import sys
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# WebGL is drawn by the processor, and the browser asks nothing of its maker's servers
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def find():
    """Return the path of a Chromium, $CHROMIUM before any other, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launch():
    """Yield a Playwright browser: the machine's Chromium, headless, with these flags."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    print(find() or sys.exit("no Chromium here: apt-get install chromium, or name one in $CHROMIUM"))
