from support import profile

__all__ = ["profile"]
