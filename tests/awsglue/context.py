"""GlueContext: reads a table of the catalog."""

from pyspark.sql import SparkSession

from awsglue import catalog, reader
from awsglue.dynamicframe import DynamicFrame
from awsglue.job import Job


class GlueContext:
    def __init__(self, sparkContext=None, **options):
        self.spark_session = SparkSession.builder.getOrCreate()
        self.create_dynamic_frame = DynamicFrameReader(self)


class DynamicFrameReader:
    def __init__(self, glue_context):
        self._context = glue_context

    def from_catalog(
        self,
        database=None,
        table_name=None,
        redshift_tmp_dir="",
        transformation_ctx="",
        push_down_predicate="",
        additional_options={},
        catalog_id=None,
        **kwargs,
    ):
        table = catalog.tables[database, table_name]
        files = Job.unread(transformation_ctx, list(catalog.files(table)))
        frame = reader.read(self._context.spark_session, table, files)
        return DynamicFrame(frame, self._context, table_name)
