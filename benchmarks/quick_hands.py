"""The fastest hand there is: keys at random gaps of 30 to 300 ms while the model refits.

    probal --workspace W demo        # once, until the images are ready; then Ctrl-C
    python -m benchmarks.quick_hands W --project digits --keys 1000 [--kill] [--json OUT]

Checks that every counted key is in the database once, on the image that was painted, in order, and reports how
long the next image took to be painted. Labels are random, so give it a workspace of its own. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import threading
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from probal.store import Store
from probal.workspace import DATABASE
from tests.browser import FLAGS
from tests.e2e.hands import check_stored, counted_requests, latencies_ms, strike_keys
from tests.e2e.server import Server
from tests.web.harness import painted, saved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--project", default="digits")
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kill", action="store_true", help="kill and restart the server in the middle")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = measure(args)
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


def measure(args: argparse.Namespace) -> dict[str, object]:
    log = args.workspace / "quick-hands.log"
    with (
        Store.open(args.workspace / DATABASE) as store,
        Server(args.workspace, log) as server,
        sync_playwright() as playwright,
    ):
        project = store.project(args.project)
        before, rounds = store.watermark(project.id), len(store.rounds(project.id))
        restart = threading.Thread(target=server.start)

        def kill(i: int) -> None:
            if args.kill and i == args.keys // 2:
                server.kill()
            elif args.kill and i == args.keys // 2 + 20:
                restart.start()

        page = playwright.chromium.launch(executable_path=args.chromium, args=list(FLAGS)).new_page()
        with counted_requests(page) as sent:
            page.goto(f"{server.url}/label?project={args.project}", timeout=120_000)
            painted(page)
            page.wait_for_timeout(1500)
            asked = len(sent)
            load = os.getloadavg()[0]
            hands = strike_keys(page, args.keys, args.seed, before=kill)
            saved(page)
            requests = len(sent) - asked
        counted = check_stored(hands, store, project, before)
        waits = latencies_ms(hands, counted)
        return {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.0f} at the start",
            "keys": len(hands.struck),
            "counted": len(counted),
            "ignored": hands.ignored,
            "refits": len(store.rounds(project.id)) - rounds,
            "killed": args.kill,
            "requests_for_script_runs": requests,
            "next_image_ms": {f"p{q}": round(float(np.percentile(waits, q)), 1) for q in (50, 90, 95, 99)},
        }


if __name__ == "__main__":
    main()
