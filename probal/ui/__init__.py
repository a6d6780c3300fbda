"""Helpers of the pages: the workspace and the project chosen, figures, tables, and the labeler's mount."""
