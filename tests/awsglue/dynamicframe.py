"""DynamicFrame: a DataFrame whose choices are structs already, as Glue's `toDF` gives them."""


class DynamicFrame:
    def __init__(self, frame, glue_ctx, name=""):
        self._frame, self.glue_ctx, self.name = frame, glue_ctx, name

    def toDF(self, options=None):
        return self._frame

    def resolveChoice(
        self,
        specs=None,
        choice="",
        database=None,
        table_name=None,
        transformation_ctx="",
        info="",
        stageThreshold=0,
        totalThreshold=0,
        catalog_id=None,
    ):
        if specs or choice != "make_struct":
            raise NotImplementedError(f"resolveChoice({specs}, {choice})")
        return self
