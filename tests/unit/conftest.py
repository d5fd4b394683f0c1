from tests.support import profile

__all__ = ["profile"]
