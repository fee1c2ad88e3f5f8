"""A stand-in for the parts of `awsglue` that a generated job uses and that AWS alone has.

Tables are looked up in `catalog`, buckets are folders, a DynamicFrame is a DataFrame, and a job's
bookkeeping is a list. Signatures are those of the `awsgluedataplanepython` package; what is not here
raises AttributeError.
"""
