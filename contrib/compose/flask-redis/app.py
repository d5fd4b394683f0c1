"""A page that counts its visits in Redis."""

import os

from flask import Flask
from redis import Redis  # type: ignore[import-not-found] # it is in the image only

app = Flask(__name__)
redis = Redis(host=os.environ.get("REDIS_HOST", "redis"))


@app.get("/")
def visit() -> str:
    """Count one more visit."""
    return f"visited {redis.incr('visits')} times\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0")
