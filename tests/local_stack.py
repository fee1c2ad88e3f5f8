"""Deploys the stack to the local stand-in for AWS and keeps it running, to be tried by hand."""

import signal
import subprocess

from conftest import PROGRAM, ROOT
from deployment import Stack
from local_aws import LocalAws

PORT = 5600
PARAMETERS = {
    "SourceDataPrefix": "/segment-logs",
    "TableName": "segment_logs",
    "EventTypes": "Product Added,Order Completed,Product Clicked",
    "SourceColumnUserId": "userId",
    "SourceColumnItemId": "properties.sku",
    "SourceColumnEventType": "event",
    "SourceColumnTimestamp": "timestamp",
}
READY = """
The stack `{stack}` is deployed on {endpoint}. In another terminal, in this folder:

    export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1

    # What the stack generated
    aws s3 ls --recursive s3://{artifacts}/
    aws s3 cp s3://{artifacts}/schema.json -

    # New objects, converted within a second
    aws s3 cp --recursive {sample}/ s3://{source}/
    aws s3 ls --recursive s3://{destination}/

    # Another mapping
    .venv-sam/bin/sam deploy --template-file .aws-sam/build/template.yaml --stack-name {stack} --resolve-s3 \\
        --capabilities CAPABILITY_IAM --no-confirm-changeset --parameter-overrides \\
        {overrides} \\
        'AdditionalColumns=properties.price:PRICE:float'

    # What the function says
    curl {endpoint}/_local/logs/{function}

Ctrl-C ends it and forgets everything.
"""


def sample(seed):
    """Segment's logs as the program's `sample` makes them; gives their folder."""
    folder = ROOT / f"samples/segment-{seed}"
    command = [PROGRAM, "sample", "segment", folder, "--records", "1000", "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def main():
    with LocalAws(crawler=PROGRAM, port=PORT, visibility_seconds=5) as aws:
        stack = Stack(aws, "personalize-pipeline", **PARAMETERS)
        folder = sample(1)
        for path in folder.rglob("*.gz"):
            stack.s3.upload_file(str(path), stack.source, str(path.relative_to(folder)))
        print("Deploying …", flush=True)
        stack.deploy()
        values = {
            "stack": stack.name,
            "endpoint": aws.endpoint,
            "source": stack.source,
            "destination": stack.destination,
            "artifacts": stack.outputs["ArtifactBucketName"],
            "function": stack.resource("ConvertObjectFunction"),
            "overrides": " ".join(f"'{name}=\"{value}\"'" for name, value in stack.parameters.items()),
            "sample": sample(2).relative_to(ROOT),
        }
        print(READY.format(**values), flush=True)
        signal.sigwait([signal.SIGINT, signal.SIGTERM])


if __name__ == "__main__":
    main()
