"""The command line of the stand-in."""

import argparse
import logging
import signal
import sys
import tempfile
from pathlib import Path

from . import processes
from .context import Settings


def arguments():
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one unless given")
    parser.add_argument("--crawl-seconds", type=float, default=1.0, help="how long a crawl takes")
    parser.add_argument(
        "--crawler", metavar="PROGRAM", help="prints the table of a folder: PROGRAM crawl FOLDER"
    )
    parser.add_argument("--max-timeout", type=float, help="caps every function's Timeout")
    parser.add_argument(
        "--visibility-seconds", type=float, help="when a failed message is delivered again"
    )
    parser.add_argument("--functions-s3-endpoint", metavar="URL", help="S3 for functions only")
    parser.add_argument("--max-concurrency", type=int, default=10, help="of each function")
    parser.add_argument("--data", type=Path, help="where packages and logs are kept")
    parser.add_argument("--parent", type=int, help="end when this process is no more the parent")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    given = arguments()
    logging.basicConfig(
        level=logging.INFO if given.verbose else logging.WARNING,
        format="%(asctime)s %(name)s %(message)s",
    )
    for noisy in ("werkzeug", "samtranslator.metrics.metrics"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    if given.parent:
        processes.end_with(given.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="local-aws-") as folder:
        data = (given.data or Path(folder)).resolve()
        data.mkdir(parents=True, exist_ok=True)
        options = {k: v for k, v in vars(given).items() if k not in ("data", "verbose")}
        # moto takes seconds to import, which is of no use to --help.
        from .server import Server

        server = Server(Settings(data=data, **options))
        print(server.context.endpoint, flush=True)
        try:
            server.serve()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
