from tests.drawn import ready, workspace

__all__ = ["ready", "workspace"]
