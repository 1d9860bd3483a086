"""An upstream of every API that counts its calls, keeps every byte, and can be told to misbehave."""

from .chat import TOOL_CALL, chunk, completion
from .said import Said
from .server import StubUpstream

__all__ = ["TOOL_CALL", "Said", "StubUpstream", "chunk", "completion"]
