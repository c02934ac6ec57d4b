"""gazecrop reports: lists or exports the reports that people sent."""

import argparse
import json
import sys
from collections.abc import Sequence

from gazecrop.console.environment import read_settings
from gazecrop.console.options import exit_status
from gazecrop.store.inbox import Inbox


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop reports", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, whole: the export")
    options = parser.parse_args(argv)
    return exit_status("reports", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    settings = read_settings()
    count = 0
    for report in Inbox(settings.data_dir, settings.reports_megabytes).read():
        count += 1
        if options.json:
            print(json.dumps(report, ensure_ascii=False))
        else:
            ratios = ", ".join(crop["ratio"] for crop in report.get("crops", [])) or "-"
            file = settings.data_dir / report["picture"] if "picture" in report else None
            picture = f"  picture: {file if file.exists() else 'forgotten'}" if file else ""
            print(f"{report['at']}  {report.get('kind', 'wrong'):<6}  {report['id']}  {ratios}{picture}")
            if text := report.get("text", ""):
                print(f"    {' '.join(text.split())}")
    if not count:
        print(f"No reports in {settings.data_dir}.", file=sys.stderr)
    sys.stdout.flush()  # a closed pipe shows here, not at the interpreter's end
    return 0
