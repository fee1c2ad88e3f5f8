"""Files that say their columns' types: read one by one, and united as DynamicFrames are.

Columns meet by name. One that has several types becomes a choice: a struct with a member per type,
named by the type.
"""

import functools

from pyspark.sql import functions as F
from pyspark.sql import types as T

NAMES = {
    T.ByteType: "byte",
    T.ShortType: "short",
    T.IntegerType: "int",
    T.LongType: "long",
    T.TimestampNTZType: "timestamp",
}


def read(spark, classification, files):
    """The files' rows as a DataFrame."""
    frames = []
    for path, partition in files:
        frame = spark.read.format(classification).load(str(path))
        values = {key: F.lit(value).cast("string") for key, value in partition.items()}
        frames.append(frame.withColumns(values) if values else frame)
    return united(frames)


def united(frames):
    rows = Place()
    for frame in frames:
        rows.add(frame.schema)
    whole = (frame.select(F.struct("*").alias("row")) for frame in frames)
    fitted = [
        one.select(rows.fit(F.col("row"), frame.schema).alias("row"))
        for one, frame in zip(whole, frames)
    ]
    together = functools.reduce(lambda one, other: one.union(other), fitted).select("row.*")
    # So that a job's expressions are not planned once for each file.
    return together.coalesce(2).localCheckpoint()


def name_of(data_type):
    return NAMES.get(type(data_type)) or data_type.typeName()


class Place:
    """A place in the rows, and what the files have there."""

    def __init__(self):
        self.single, self.members, self.inner = {}, {}, {}

    def add(self, data_type):
        name = name_of(data_type)
        if name == "void":
            return
        if name == "decimal" and name in self.single:
            data_type = wide_enough(data_type, self.single[name])
        self.single[name] = data_type
        if name == "struct":
            for field in data_type:
                self.members.setdefault(field.name, Place()).add(field.dataType)
        elif name in ("array", "map"):
            self.inner.setdefault(name, Place()).add(inner_type(data_type))

    def type(self):
        kinds = [T.StructField(name, self.type_of(name)) for name in sorted(self.single)]
        if len(kinds) > 1:
            return T.StructType(kinds)
        return kinds[0].dataType if kinds else T.NullType()

    def type_of(self, name):
        if name == "struct":
            members = self.members.items()
            return T.StructType([T.StructField(name, place.type()) for name, place in members])
        if name == "array":
            return T.ArrayType(self.inner[name].type())
        if name == "map":
            return T.MapType(self.single[name].keyType, self.inner[name].type())
        return self.single[name]

    def fit(self, column, data_type):
        """A column of that type as one of the place's type."""
        name = name_of(data_type)
        if name == "void":
            return F.lit(None).cast(self.type())
        fitted = self.fit_kind(column, data_type, name)
        if len(self.single) == 1:
            return fitted
        kinds = [
            (fitted if name == known else F.lit(None).cast(self.type_of(known))).alias(known)
            for known in sorted(self.single)
        ]
        return F.when(column.isNotNull(), F.struct(*kinds))

    def fit_kind(self, column, data_type, name):
        if name == "struct":
            types = {field.name: field.dataType for field in data_type}
            members = [
                place.fit(column.getField(member), types.get(member, T.NullType())).alias(member)
                for member, place in self.members.items()
            ]
            return F.when(column.isNotNull(), F.struct(*members))
        if name == "array":
            return F.transform(column, lambda x: self.inner[name].fit(x, data_type.elementType))
        if name == "map":
            return F.transform_values(
                column, lambda _, x: self.inner[name].fit(x, data_type.valueType)
            )
        return column.cast(self.single[name])


def inner_type(data_type):
    return data_type.elementType if isinstance(data_type, T.ArrayType) else data_type.valueType


def wide_enough(one, other):
    """A decimal that holds those of both types."""
    scale = max(one.scale, other.scale)
    whole = max(one.precision - one.scale, other.precision - other.scale)
    return T.DecimalType(min(38, whole + scale), scale)
