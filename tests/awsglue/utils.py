"""getResolvedOptions: a job's arguments by name."""

import argparse


class GlueArgumentError(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise GlueArgumentError(message)


def getResolvedOptions(args, options):
    parser = _Parser(allow_abbrev=False)
    parser.add_argument("--job-bookmark-option", default="job-bookmark-disable")
    for option in ("JOB_ID", "JOB_RUN_ID", "TempDir"):
        parser.add_argument(f"--{option}")
    for option in options:
        if option not in ("JOB_ID", "JOB_RUN_ID", "TempDir"):
            parser.add_argument(f"--{option}", required=True)
    return vars(parser.parse_known_args(args[1:])[0])
