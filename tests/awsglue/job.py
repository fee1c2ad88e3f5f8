"""Job: remembers which files were read, as bookmarks do."""


class Job:
    _read_before = {}
    _read_now = {}
    _bookmark = None

    def __init__(self, glue_context):
        pass

    def init(self, job_name, args={}):
        enabled = args.get("job_bookmark_option") == "job-bookmark-enable"
        Job._bookmark = job_name if enabled else None
        Job._read_now = {}

    def commit(self):
        Job._read_before.update(Job._read_now)

    @classmethod
    def unread(cls, transformation_ctx, files):
        """The files that no committed run of the job has read in that place."""
        if cls._bookmark is None or not transformation_ctx:
            return files
        place = cls._bookmark, transformation_ctx
        before = cls._read_before.get(place, set())
        cls._read_now[place] = before | {path for path, _ in files}
        return [(path, values) for path, values in files if path not in before]
